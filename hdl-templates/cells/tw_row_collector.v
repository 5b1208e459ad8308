// Single elements to rows.
//
// Contract: of every Lanes elements, the cycle after the last one their row is at the output, the first element in the
// lowest bits.
module tw_row_collector #(
    parameter Lanes = 3,
    parameter Width = 8
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   in_valid,
    input  wire [      Width-1:0] in_data,
    output reg                    out_valid,
    output wire [Lanes*Width-1:0] out_data
);

  localparam CountWidth = (Lanes > 1) ? $clog2(Lanes) : 1;
  localparam [31:0] LastWide = Lanes - 1;
  localparam [CountWidth-1:0] Last = LastWide[CountWidth-1:0];
  localparam [CountWidth-1:0] One = 1;

  reg [CountWidth-1:0] count;
  reg [Lanes*Width-1:0] row;
  wire [(Lanes+1)*Width-1:0] joined = {in_data, row};
  wire [Width-1:0] unused_oldest = joined[Width-1:0];

  assign out_data = row;

  always @(posedge clk) if (in_valid) row <= joined[(Lanes+1)*Width-1:Width];

  always @(posedge clk) begin
    if (!rst_n) begin
      count <= {CountWidth{1'b0}};
      out_valid <= 1'b0;
    end else begin
      if (in_valid) count <= (count == Last) ? {CountWidth{1'b0}} : count + One;
      out_valid <= in_valid && (count == Last);
    end
  end

endmodule
