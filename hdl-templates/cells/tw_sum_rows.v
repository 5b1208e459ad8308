// The sum over the rows of a window.
//
// Contract: rows of Lanes signed numbers; one cycle after the last of Rows rows their sum, OutWidth bits a lane, exact.
module tw_sum_rows #(
    parameter Rows     = 4,
    parameter Lanes    = 2,
    parameter InWidth  = 8,
    parameter OutWidth = 10
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output reg                       out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] One = 1;

  reg [RowWidth-1:0] row;
  wire first = row == {RowWidth{1'b0}};

  always @(posedge clk) begin
    if (!rst_n) begin
      row <= {RowWidth{1'b0}};
      out_valid <= 1'b0;
    end else begin
      if (in_valid) row <= (row == LastRow) ? {RowWidth{1'b0}} : row + One;
      out_valid <= in_valid && (row == LastRow);
    end
  end

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire [OutWidth-1:0] wide = {{(OutWidth - InWidth) {x[InWidth-1]}}, x};
      reg [OutWidth-1:0] sum;
      always @(posedge clk) if (in_valid) sum <= wide + (first ? {OutWidth{1'b0}} : sum);
      assign lanes[i*OutWidth+:OutWidth] = sum;
    end
  endgenerate

endmodule
