// Keeps the rows of a window where all of them can be read at once.
//
// Contract: of each Rows rows, row r is at `data`, row 0 lowest, from the cycle after it came until the row r after it comes.
module tw_row_store #(
    parameter Rows  = 3,
    parameter Width = 8
) (
    input  wire                  clk,
    input  wire                  rst_n,
    input  wire                  in_valid,
    input  wire [     Width-1:0] in_data,
    output wire [Rows*Width-1:0] data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] One = 1;

  reg [RowWidth-1:0] row;

  always @(posedge clk) begin
    if (!rst_n) row <= {RowWidth{1'b0}};
    else if (in_valid) row <= (row == LastRow) ? {RowWidth{1'b0}} : row + One;
  end

  genvar r;
  generate
    for (r = 0; r < Rows; r = r + 1) begin : g_row
      localparam [31:0] OwnWide = r;
      localparam [RowWidth-1:0] Own = OwnWide[RowWidth-1:0];
      reg [Width-1:0] kept;
      always @(posedge clk) if (in_valid && (row == Own)) kept <= in_data;
      assign data[r*Width+:Width] = kept;
    end
  endgenerate

endmodule
