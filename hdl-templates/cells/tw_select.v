// Lets one row of every window pass.
//
// Contract: of each Rows rows, row number Row passes, in the same cycle.
module tw_select #(
    parameter Rows  = 4,
    parameter Row   = 0,
    parameter Width = 8
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
  localparam [31:0] WantedWide = Row;
  localparam [RowWidth-1:0] Wanted = WantedWide[RowWidth-1:0];
  localparam [RowWidth-1:0] One = 1;

  reg [RowWidth-1:0] row;

  always @(posedge clk) begin
    if (!rst_n) row <= {RowWidth{1'b0}};
    else if (in_valid) row <= (row == LastRow) ? {RowWidth{1'b0}} : row + One;
  end

  assign out_valid = in_valid && (row == Wanted);
  assign out_data  = in_data;

endmodule
