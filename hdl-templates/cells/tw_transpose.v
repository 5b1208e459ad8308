// Rows in, columns out.
//
// Contract: Rows rows of Columns numbers are kept; column c leaves 1 + c * Pace cycles after the last row came, row 0 in the
// lowest bits. With Lead = 1 a row that is always the same, `first`, stands below row 0 and does not come. The plan lets no row of the next window come before the last column has left.
module tw_transpose #(
    parameter Rows    = 3,
    parameter Columns = 4,
    parameter Width   = 8,
    parameter Pace    = 1,
    parameter Lead    = 0
) (
    input  wire                     clk,
    input  wire                     rst_n,
    input  wire                     in_valid,
    input  wire [Columns*Width-1:0] in_data,
    input  wire [Columns*Width-1:0] first,
    output wire                     out_valid,
    output reg  [(Rows+Lead)*Width-1:0] out_data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam LeftWidth = $clog2(Columns + 1);
  localparam PaceWidth = $clog2(Pace + 1);
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] OneRow = 1;
  localparam [31:0] AllColumnsWide = Columns;
  localparam [LeftWidth-1:0] AllColumns = AllColumnsWide[LeftWidth-1:0];
  localparam [LeftWidth-1:0] OneColumn = 1;
  localparam [31:0] PaceReloadWide = Pace - 1;
  localparam [PaceWidth-1:0] PaceReload = PaceReloadWide[PaceWidth-1:0];
  localparam [PaceWidth-1:0] OneStep = 1;

  reg [RowWidth-1:0] row;
  reg [LeftWidth-1:0] columns_left;
  reg [PaceWidth-1:0] pause;

  assign out_valid = (columns_left != {LeftWidth{1'b0}}) && (pause == {PaceWidth{1'b0}});

  always @(posedge clk) begin
    if (!rst_n) begin
      row <= {RowWidth{1'b0}};
      columns_left <= {LeftWidth{1'b0}};
      pause <= {PaceWidth{1'b0}};
    end else begin
      if (in_valid) row <= (row == LastRow) ? {RowWidth{1'b0}} : row + OneRow;
      if (in_valid && (row == LastRow)) begin
        columns_left <= AllColumns;
        pause <= {PaceWidth{1'b0}};
      end else if (out_valid) begin
        columns_left <= columns_left - OneColumn;
        pause <= PaceReload;
      end else if (pause != {PaceWidth{1'b0}}) begin
        pause <= pause - OneStep;
      end
    end
  end

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [(Rows+Lead)*Width-1:0] lanes;
  always @* out_data = lanes;

  genvar r;
  generate
    if (Lead != 0) begin : g_lead
      reg [Columns*Width-1:0] line;
      wire [(Columns+1)*Width-1:0] shifted = {{Width{1'b0}}, line};
      wire [Width-1:0] unused_oldest = shifted[Width-1:0];
      always @(posedge clk) begin
        if (in_valid && (row == LastRow)) line <= first;
        else if (out_valid) line <= shifted[(Columns+1)*Width-1:Width];
      end
      assign lanes[Width-1:0] = line[Width-1:0];
    end else begin : g_plain
      wire unused_first = &{1'b0, first};
    end
    for (r = 0; r < Rows; r = r + 1) begin : g_row
      localparam [31:0] OwnWide = r;
      localparam [RowWidth-1:0] Own = OwnWide[RowWidth-1:0];
      reg [Columns*Width-1:0] line;
      wire [(Columns+1)*Width-1:0] shifted = {{Width{1'b0}}, line};
      wire [Width-1:0] unused_oldest = shifted[Width-1:0];
      always @(posedge clk) begin
        if (in_valid && (row == Own)) line <= in_data;
        else if (out_valid) line <= shifted[(Columns+1)*Width-1:Width];
      end
      assign lanes[(r+Lead)*Width+:Width] = line[Width-1:0];
    end
  endgenerate

endmodule
