// Rows in, columns out.
//
// Contract: Rows rows of Columns numbers are kept; columns leave AtOnce at a time, which divides Columns: group g leaves
// 1 + g * Pace cycles after the last row came, the first column of it in the lowest bits, row 0 of a column in the lowest of
// those. With Lead = 1 a row that is always the same, `first`, stands below row 0 and does not come. The plan lets no row of the
// next window come before the last column has left.
module tw_transpose #(
    parameter Rows    = 3,
    parameter Columns = 4,
    parameter Width   = 8,
    parameter Pace    = 1,
    parameter Lead    = 0,
    parameter AtOnce  = 1
) (
    input  wire                     clk,
    input  wire                     rst_n,
    input  wire                     in_valid,
    input  wire [Columns*Width-1:0] in_data,
    input  wire [Columns*Width-1:0] first,
    output wire                     out_valid,
    output reg  [AtOnce*(Rows+Lead)*Width-1:0] out_data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam Groups = Columns / AtOnce;
  localparam Step = AtOnce * Width;
  localparam LeftWidth = $clog2(Groups + 1);
  localparam PaceWidth = $clog2(Pace + 1);
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] OneRow = 1;
  localparam [31:0] AllGroupsWide = Groups;
  localparam [LeftWidth-1:0] AllGroups = AllGroupsWide[LeftWidth-1:0];
  localparam [LeftWidth-1:0] OneGroup = 1;
  localparam [31:0] PaceReloadWide = Pace - 1;
  localparam [PaceWidth-1:0] PaceReload = PaceReloadWide[PaceWidth-1:0];
  localparam [PaceWidth-1:0] OneStep = 1;

  reg [RowWidth-1:0] row;
  reg [LeftWidth-1:0] groups_left;
  reg [PaceWidth-1:0] pause;

  assign out_valid = (groups_left != {LeftWidth{1'b0}}) && (pause == {PaceWidth{1'b0}});

  always @(posedge clk) begin
    if (!rst_n) begin
      row <= {RowWidth{1'b0}};
      groups_left <= {LeftWidth{1'b0}};
      pause <= {PaceWidth{1'b0}};
    end else begin
      if (in_valid) row <= (row == LastRow) ? {RowWidth{1'b0}} : row + OneRow;
      if (in_valid && (row == LastRow)) begin
        groups_left <= AllGroups;
        pause <= {PaceWidth{1'b0}};
      end else if (out_valid) begin
        groups_left <= groups_left - OneGroup;
        pause <= PaceReload;
      end else if (pause != {PaceWidth{1'b0}}) begin
        pause <= pause - OneStep;
      end
    end
  end

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [AtOnce*(Rows+Lead)*Width-1:0] lanes;
  always @* out_data = lanes;

  genvar r;
  genvar c;
  generate
    if (Lead != 0) begin : g_lead
      reg [Columns*Width-1:0] line;
      wire [(Columns+AtOnce)*Width-1:0] shifted = {{Step{1'b0}}, line};
      wire [Step-1:0] unused_oldest = shifted[Step-1:0];
      always @(posedge clk) begin
        if (in_valid && (row == LastRow)) line <= first;
        else if (out_valid) line <= shifted[(Columns+AtOnce)*Width-1:Step];
      end
      for (c = 0; c < AtOnce; c = c + 1) begin : g_column
        assign lanes[c*(Rows+Lead)*Width+:Width] = line[c*Width+:Width];
      end
    end else begin : g_plain
      wire unused_first = &{1'b0, first};
    end
    for (r = 0; r < Rows; r = r + 1) begin : g_row
      localparam [31:0] OwnWide = r;
      localparam [RowWidth-1:0] Own = OwnWide[RowWidth-1:0];
      reg [Columns*Width-1:0] line;
      wire [(Columns+AtOnce)*Width-1:0] shifted = {{Step{1'b0}}, line};
      wire [Step-1:0] unused_oldest = shifted[Step-1:0];
      always @(posedge clk) begin
        if (in_valid && (row == Own)) line <= in_data;
        else if (out_valid) line <= shifted[(Columns+AtOnce)*Width-1:Step];
      end
      for (c = 0; c < AtOnce; c = c + 1) begin : g_column
        assign lanes[(c*(Rows+Lead)+r+Lead)*Width+:Width] = line[c*Width+:Width];
      end
    end
  endgenerate

endmodule
