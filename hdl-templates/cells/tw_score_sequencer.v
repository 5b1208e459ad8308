// Pairs every query with every key, head by head.
//
// Contract: QueryRows rows of query codes and KeyRows rows of key codes, each Heads groups of Subspaces codes, are kept.
// When both are complete the pairs leave, one a cycle: for each query, for each head, all keys; a new (query, head) starts
// every Pace cycles. The first pair is registered three cycles after the last operand came. A pair is one bank row per
// subspace, {query code, key code}, subspace 0 lowest.
module tw_score_sequencer #(
    parameter QueryRows = 2,
    parameter KeyRows   = 3,
    parameter Heads     = 2,
    parameter Subspaces = 2,
    parameter CodeWidth = 3,
    parameter Pace      = 3
) (
    input  wire                                 clk,
    input  wire                                 rst_n,
    input  wire                                 query_valid,
    input  wire [Heads*Subspaces*CodeWidth-1:0] query_data,
    input  wire                                 key_valid,
    input  wire [Heads*Subspaces*CodeWidth-1:0] key_data,
    output reg                                  out_valid,
    output reg  [    Subspaces*2*CodeWidth-1:0] out_data
);

  localparam GroupWidth = Subspaces * CodeWidth;
  localparam QueryWidth = (QueryRows > 1) ? $clog2(QueryRows) : 1;
  localparam KeyWidth = (KeyRows > 1) ? $clog2(KeyRows) : 1;
  localparam HeadWidth = (Heads > 1) ? $clog2(Heads) : 1;
  localparam SlotWidth = (Pace > 1) ? $clog2(Pace) : 1;
  localparam [31:0] LastQueryWide = QueryRows - 1;
  localparam [QueryWidth-1:0] LastQuery = LastQueryWide[QueryWidth-1:0];
  localparam [QueryWidth-1:0] OneQuery = 1;
  localparam [31:0] LastKeyWide = KeyRows - 1;
  localparam [KeyWidth-1:0] LastKey = LastKeyWide[KeyWidth-1:0];
  localparam [KeyWidth-1:0] OneKey = 1;
  localparam [31:0] LastHeadWide = Heads - 1;
  localparam [HeadWidth-1:0] LastHead = LastHeadWide[HeadWidth-1:0];
  localparam [HeadWidth-1:0] OneHead = 1;
  localparam [31:0] LastSlotWide = Pace - 1;
  localparam [SlotWidth-1:0] LastSlot = LastSlotWide[SlotWidth-1:0];
  localparam [SlotWidth-1:0] OneSlot = 1;

  reg [Heads*GroupWidth-1:0] queries[0:QueryRows-1];
  reg [Heads*GroupWidth-1:0] keys[0:KeyRows-1];
  reg [QueryWidth-1:0] query_in;
  reg [KeyWidth-1:0] key_in;
  reg queries_full, keys_full, busy, issuing;
  reg [QueryWidth-1:0] query;
  reg [HeadWidth-1:0] head;
  reg [KeyWidth-1:0] key;
  reg [SlotWidth-1:0] slot;

  wire go = queries_full && keys_full && !busy;
  wire row_ends = slot == LastSlot;
  wire done = issuing && (key == LastKey) && (head == LastHead) && (query == LastQuery);

  always @(posedge clk) begin
    if (query_valid) queries[query_in] <= query_data;
    if (key_valid) keys[key_in] <= key_data;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      query_in <= {QueryWidth{1'b0}};
      key_in <= {KeyWidth{1'b0}};
      queries_full <= 1'b0;
      keys_full <= 1'b0;
      busy <= 1'b0;
      issuing <= 1'b0;
      out_valid <= 1'b0;
      query <= {QueryWidth{1'b0}};
      head <= {HeadWidth{1'b0}};
      key <= {KeyWidth{1'b0}};
      slot <= {SlotWidth{1'b0}};
    end else begin
      if (query_valid) query_in <= (query_in == LastQuery) ? {QueryWidth{1'b0}} : query_in + OneQuery;
      if (key_valid) key_in <= (key_in == LastKey) ? {KeyWidth{1'b0}} : key_in + OneKey;
      if (query_valid && query_in == LastQuery) queries_full <= 1'b1;
      else if (go) queries_full <= 1'b0;
      if (key_valid && key_in == LastKey) keys_full <= 1'b1;
      else if (go) keys_full <= 1'b0;

      out_valid <= issuing;
      if (go) begin
        busy <= 1'b1;
        issuing <= 1'b1;
        query <= {QueryWidth{1'b0}};
        head <= {HeadWidth{1'b0}};
        key <= {KeyWidth{1'b0}};
        slot <= {SlotWidth{1'b0}};
      end else if (done) begin
        busy <= 1'b0;
        issuing <= 1'b0;
      end else if (busy) begin
        slot <= row_ends ? {SlotWidth{1'b0}} : slot + OneSlot;
        issuing <= row_ends || (issuing && (key != LastKey));
        key <= (row_ends || key == LastKey) ? {KeyWidth{1'b0}} : key + OneKey;
        if (row_ends) begin
          head <= (head == LastHead) ? {HeadWidth{1'b0}} : head + OneHead;
          if (head == LastHead) query <= query + OneQuery;
        end
      end
    end
  end

  wire [Heads*GroupWidth-1:0] query_row = queries[query];
  wire [Heads*GroupWidth-1:0] key_row = keys[key];
  reg [GroupWidth-1:0] query_group;
  reg [GroupWidth-1:0] key_group;
  integer h;
  always @* begin
    query_group = query_row[GroupWidth-1:0];
    key_group   = key_row[GroupWidth-1:0];
    for (h = 1; h < Heads; h = h + 1) begin
      if (head == h[HeadWidth-1:0]) begin
        query_group = query_row[h*GroupWidth+:GroupWidth];
        key_group   = key_row[h*GroupWidth+:GroupWidth];
      end
    end
  end

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Subspaces*2*CodeWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar c;
  generate
    for (c = 0; c < Subspaces; c = c + 1) begin : g_subspace
      reg [2*CodeWidth-1:0] pair;
      always @(posedge clk) pair <= {query_group[c*CodeWidth+:CodeWidth], key_group[c*CodeWidth+:CodeWidth]};
      assign lanes[c*2*CodeWidth+:2*CodeWidth] = pair;
    end
  endgenerate

endmodule
