// Pairs every row of attention weights with every column of its head's V.
//
// Contract: Tokens * Heads rows of weight codes (token by token, head by head) and Columns rows of column codes (head by
// head) are kept; bit j of HeadEnds says that column j is the last of its head. When both are complete the pairs leave, one a cycle: for each token, for each head, all columns
// of that head; a new token starts every Pace cycles. The first pair is registered three cycles after the last operand
// came. A pair is one bank row per subspace, {weight code, column code}, subspace 0 lowest.
module tw_mix_sequencer #(
    parameter Tokens    = 2,
    parameter Heads     = 2,
    parameter Columns   = 6,
    parameter [Columns-1:0] HeadEnds = 6'b100100,
    parameter Subspaces = 2,
    parameter CodeWidth = 3,
    parameter Pace      = 6
) (
    input  wire                             clk,
    input  wire                             rst_n,
    input  wire                             weight_valid,
    input  wire [  Subspaces*CodeWidth-1:0] weight_data,
    input  wire                             column_valid,
    input  wire [  Subspaces*CodeWidth-1:0] column_data,
    output reg                              out_valid,
    output reg  [Subspaces*2*CodeWidth-1:0] out_data
);

  localparam GroupWidth = Subspaces * CodeWidth;
  localparam WeightRows = Tokens * Heads;
  localparam WeightWidth = (WeightRows > 1) ? $clog2(WeightRows) : 1;
  localparam ColumnWidth = (Columns > 1) ? $clog2(Columns) : 1;
  localparam SlotWidth = (Pace > 1) ? $clog2(Pace) : 1;
  localparam [31:0] LastWeightWide = WeightRows - 1;
  localparam [WeightWidth-1:0] LastWeight = LastWeightWide[WeightWidth-1:0];
  localparam [WeightWidth-1:0] OneWeight = 1;
  localparam [31:0] LastColumnWide = Columns - 1;
  localparam [ColumnWidth-1:0] LastColumn = LastColumnWide[ColumnWidth-1:0];
  localparam [ColumnWidth-1:0] OneColumn = 1;
  localparam [31:0] LastSlotWide = Pace - 1;
  localparam [SlotWidth-1:0] LastSlot = LastSlotWide[SlotWidth-1:0];
  localparam [SlotWidth-1:0] OneSlot = 1;

  reg [GroupWidth-1:0] weights[0:WeightRows-1];
  reg [GroupWidth-1:0] columns[0:Columns-1];
  reg [WeightWidth-1:0] weight_in;
  reg [ColumnWidth-1:0] column_in;
  reg weights_full, columns_full, busy, issuing;
  reg [WeightWidth-1:0] weight;
  reg [ColumnWidth-1:0] column;
  reg [SlotWidth-1:0] slot;

  wire go = weights_full && columns_full && !busy;
  wire row_ends = slot == LastSlot;
  wire head_ends = HeadEnds[column];
  wire done = issuing && (column == LastColumn) && (weight == LastWeight);

  always @(posedge clk) begin
    if (weight_valid) weights[weight_in] <= weight_data;
    if (column_valid) columns[column_in] <= column_data;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      weight_in <= {WeightWidth{1'b0}};
      column_in <= {ColumnWidth{1'b0}};
      weights_full <= 1'b0;
      columns_full <= 1'b0;
      busy <= 1'b0;
      issuing <= 1'b0;
      out_valid <= 1'b0;
      weight <= {WeightWidth{1'b0}};
      column <= {ColumnWidth{1'b0}};
      slot <= {SlotWidth{1'b0}};
    end else begin
      if (weight_valid) weight_in <= (weight_in == LastWeight) ? {WeightWidth{1'b0}} : weight_in + OneWeight;
      if (column_valid) column_in <= (column_in == LastColumn) ? {ColumnWidth{1'b0}} : column_in + OneColumn;
      if (weight_valid && weight_in == LastWeight) weights_full <= 1'b1;
      else if (go) weights_full <= 1'b0;
      if (column_valid && column_in == LastColumn) columns_full <= 1'b1;
      else if (go) columns_full <= 1'b0;

      out_valid <= issuing;
      if (go) begin
        busy <= 1'b1;
        issuing <= 1'b1;
        weight <= {WeightWidth{1'b0}};
        column <= {ColumnWidth{1'b0}};
          slot <= {SlotWidth{1'b0}};
      end else if (done) begin
        busy <= 1'b0;
        issuing <= 1'b0;
      end else if (busy) begin
        slot <= row_ends ? {SlotWidth{1'b0}} : slot + OneSlot;
        issuing <= row_ends || (issuing && (column != LastColumn));
        if (issuing) begin
          column <= (column == LastColumn) ? {ColumnWidth{1'b0}} : column + OneColumn;
          // Rows of weights come token by token, head by head: the next head's is the next row.
          if (head_ends) weight <= weight + OneWeight;
        end
      end
    end
  end

  wire [GroupWidth-1:0] weight_row = weights[weight];
  wire [GroupWidth-1:0] column_row = columns[column];

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Subspaces*2*CodeWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar c;
  generate
    for (c = 0; c < Subspaces; c = c + 1) begin : g_subspace
      reg [2*CodeWidth-1:0] pair;
      always @(posedge clk) pair <= {weight_row[c*CodeWidth+:CodeWidth], column_row[c*CodeWidth+:CodeWidth]};
      assign lanes[c*2*CodeWidth+:2*CodeWidth] = pair;
    end
  endgenerate

endmodule
