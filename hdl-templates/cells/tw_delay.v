// Rows that come out some cycles later.
//
// Contract: a row that comes in leaves Cycles cycles later, at least 1. At most Rows rows are inside at a time.
module tw_delay #(
    parameter Width  = 8,
    parameter Rows   = 2,
    parameter Cycles = 3
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             in_valid,
    input  wire [Width-1:0] in_data,
    output wire             out_valid,
    output wire [Width-1:0] out_data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] One = 1;

  reg [Width-1:0] rows[0:Rows-1];
  reg [RowWidth-1:0] row_in;
  reg [RowWidth-1:0] row_out;

  tw_valid #(
      .Steps(Cycles),
      .Cuts ({Cycles{1'b1}})
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  assign out_data = rows[row_out];

  always @(posedge clk) if (in_valid) rows[row_in] <= in_data;

  always @(posedge clk) begin
    if (!rst_n) begin
      row_in  <= {RowWidth{1'b0}};
      row_out <= {RowWidth{1'b0}};
    end else begin
      if (in_valid) row_in <= (row_in == LastRow) ? {RowWidth{1'b0}} : row_in + One;
      if (out_valid) row_out <= (row_out == LastRow) ? {RowWidth{1'b0}} : row_out + One;
    end
  end

endmodule
