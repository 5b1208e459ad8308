// The issue unit: from a row of logits to the blocks to prefetch, best first.
//
// Contract: a row waits at row_data with its access's block, and stays until row_taken says that it is done with. First the
// block enters the recent-request filter. Then the lanes whose logit is at least `threshold` are visited from the greatest
// logit down, equal ones from the lowest lane up. Lane i stands for block + i + 1 (i < Outputs/2) or block + i - Outputs
// (else), with all carries dropped. With PageBits above 0 lanes whose block is not in the same 2^PageBits blocks as the
// access's are left out. A target that the filter has seen is passed over; any other enters it and is issued. The
// row ends with its Degree-th issue or its last lane. Where row_predict is 0 (the history is not full) only the first step is
// done.
// The filter answers `seen` for `block` in the same cycle. An issue writes one of Places places of the output queue, whose
// `taken` gives it back; without a place the unit waits.
//
// Time: lanes are looked at Lanes at a time (a power of two, 2 at least), in Groups groups, one group a cycle. That gives the
// best of each group. From then on a target takes two cycles: the best of the groups' best is picked; while the filter is
// asked, the group it came from is looked at again for its best behind that lane. So a row takes Groups + 2 cycles a target
// visited, and one more if fewer than Degree were issued; its first target is issued Groups + 1 cycles after it came.
module tw_issue #(
    parameter Outputs    = 6,
    parameter Width      = 8,
    parameter Lanes      = 2,
    parameter LaneWidth  = 1,
    parameter Groups     = 3,
    parameter GroupWidth = 2,
    parameter BlockWidth = 58,
    parameter PageBits   = 0,
    parameter Degree     = 4,
    parameter Places     = 4
) (
    input  wire                     clk,
    input  wire                     rst_n,
    input  wire                     row_valid,
    input  wire [Outputs*Width-1:0] row_data,
    input  wire [   BlockWidth-1:0] row_block,
    input  wire                     row_predict,
    input  wire [          Width:0] threshold,
    output wire                     row_taken,
    output wire [   BlockWidth-1:0] block,
    output wire                     enter,
    input  wire                     seen,
    output wire                     out_valid,
    output wire [   BlockWidth-1:0] out_block,
    input  wire                     taken
);

  localparam NumberWidth = GroupWidth + LaneWidth;
  localparam DeltaWidth = NumberWidth + 2;
  localparam IssuedWidth = (Degree > 1) ? $clog2(Degree) : 1;
  localparam PlacesWidth = $clog2(Places + 1);
  localparam [31:0] LastGroupWide = Groups - 1;
  localparam [GroupWidth-1:0] LastGroup = LastGroupWide[GroupWidth-1:0];
  localparam [GroupWidth-1:0] OneGroup = 1;
  localparam [31:0] OutputsWide = Outputs;
  localparam [DeltaWidth-1:0] AllOutputs = OutputsWide[DeltaWidth-1:0];
  localparam [31:0] HalfWide = Outputs / 2;
  localparam [DeltaWidth-1:0] Half = HalfWide[DeltaWidth-1:0];
  localparam [DeltaWidth-1:0] OneBlock = 1;
  localparam [31:0] LastIssueWide = Degree - 1;
  localparam [IssuedWidth-1:0] LastIssue = LastIssueWide[IssuedWidth-1:0];
  localparam [IssuedWidth-1:0] OneIssue = 1;
  localparam [31:0] AllPlacesWide = Places;
  localparam [PlacesWidth-1:0] AllPlaces = AllPlacesWide[PlacesWidth-1:0];
  localparam [PlacesWidth-1:0] OnePlace = 1;

  // Look at all groups; pick the best of their best; ask the filter, and look at one group again.
  localparam [1:0] Scan = 2'd0, Pick = 2'd1, Ask = 2'd2;
  reg [1:0] state;
  reg [GroupWidth-1:0] group;
  reg [IssuedWidth-1:0] issued;
  reg [PlacesWidth-1:0] places;
  reg [Width+LaneWidth-1:0] picked_rank;
  reg [BlockWidth-1:0] target;

  wire scanning = (state == Scan) && row_valid;
  wire begins = scanning && (group == {GroupWidth{1'b0}});
  wire asking = (state == Ask) && (seen || (places != {PlacesWidth{1'b0}}));
  wire issuing = asking && !seen;
  wire any_left;

  assign block = (state == Scan) ? row_block : target;
  assign enter = begins || issuing;
  assign out_valid = issuing;
  assign out_block = target;
  assign row_taken = (begins && !row_predict) || ((state == Pick) && !any_left) || (issuing && (issued == LastIssue));

  // The group's lanes: those that count and, when it is looked at again, come behind the one that was picked. The logit and
  // behind it the lane's complement, as one number, put lanes of one group in their order.
  wire [Groups*Lanes*Width-1:0] padded;
  generate
    if (Groups * Lanes > Outputs) begin : g_padded
      assign padded = {{(Groups * Lanes - Outputs) * Width{1'b0}}, row_data};
    end else begin : g_whole
      assign padded = row_data;
    end
  endgenerate
  reg [Lanes*Width-1:0] keys;
  integer g;
  always @* begin
    keys = {Lanes * Width{1'b0}};
    for (g = 0; g < Groups; g = g + 1)
      keys = keys | ({Lanes * Width{group == g[GroupWidth-1:0]}} & padded[g*Lanes*Width+:Lanes*Width]);
  end
  wire [Lanes-1:0] counts;
  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      localparam [31:0] HereWide = i;
      localparam [LaneWidth-1:0] Here = HereWide[LaneWidth-1:0];
      wire exists = {2'b0, group, Here} < AllOutputs;
      wire signed [Width:0] key = {keys[i*Width+Width-1], keys[i*Width+:Width]};
      wire predicted = key >= $signed(threshold);
      wire signed [Width+LaneWidth-1:0] rank = {keys[i*Width+:Width], ~Here};
      wire behind = rank < $signed(picked_rank);
      wire in_page;
      if (PageBits > 0) begin : g_page
        localparam PlaceWidth = ((PageBits > DeltaWidth) ? PageBits : DeltaWidth) + 1;
        wire [DeltaWidth-1:0] lane = {2'b0, group, Here};
        wire [DeltaWidth-1:0] step = (lane < Half) ? lane + OneBlock : lane - AllOutputs;
        wire [PlaceWidth-1:0] place = {{PlaceWidth - PageBits{1'b0}}, row_block[PageBits-1:0]}
            + {{PlaceWidth - DeltaWidth{step[DeltaWidth-1]}}, step};
        wire [PageBits-1:0] unused_place = place[PageBits-1:0];
        assign in_page = place[PlaceWidth-1:PageBits] == {PlaceWidth - PageBits{1'b0}};
      end else begin : g_anywhere
        assign in_page = 1'b1;
      end
      assign counts[i] = exists && predicted && in_page && ((state == Scan) || behind);
    end
  endgenerate
  wire group_valid;
  wire [Width-1:0] group_key;
  wire [LaneWidth-1:0] group_lane;
  tw_best #(
      .Candidates(Lanes),
      .Width(Width),
      .PlaceWidth(LaneWidth)
  ) u_lanes (
      .in_valid(counts),
      .in_keys(keys),
      .out_valid(group_valid),
      .out_key(group_key),
      .out_place(group_lane)
  );

  // The best of each group, and the best of those.
  wire [Groups-1:0] best_valid;
  wire [Groups*Width-1:0] best_keys;
  wire [Groups*LaneWidth-1:0] best_lanes;
  generate
    for (i = 0; i < Groups; i = i + 1) begin : g_group
      localparam [31:0] HereWide = i;
      localparam [GroupWidth-1:0] Here = HereWide[GroupWidth-1:0];
      reg valid;
      reg [Width-1:0] key;
      reg [LaneWidth-1:0] lane;
      assign best_valid[i] = valid;
      assign best_keys[i*Width+:Width] = key;
      assign best_lanes[i*LaneWidth+:LaneWidth] = lane;
      always @(posedge clk) begin
        if ((scanning || asking) && (group == Here)) begin
          valid <= group_valid;
          key   <= group_key;
          lane  <= group_lane;
        end
      end
    end
  endgenerate
  wire [Width-1:0] best_key;
  wire [GroupWidth-1:0] best_group;
  tw_best #(
      .Candidates(Groups),
      .Width(Width),
      .PlaceWidth(GroupWidth)
  ) u_groups (
      .in_valid(best_valid),
      .in_keys(best_keys),
      .out_valid(any_left),
      .out_key(best_key),
      .out_place(best_group)
  );
  reg [LaneWidth-1:0] best_lane;
  integer h;
  always @* begin
    best_lane = {LaneWidth{1'b0}};
    for (h = 0; h < Groups; h = h + 1)
      best_lane = best_lane | ({LaneWidth{best_group == h[GroupWidth-1:0]}} & best_lanes[h*LaneWidth+:LaneWidth]);
  end

  wire [DeltaWidth-1:0] number = {2'b0, best_group, best_lane};
  wire [DeltaWidth-1:0] delta = (number < Half) ? number + OneBlock : number - AllOutputs;

  always @(posedge clk) begin
    if (state == Pick) begin
      picked_rank <= {best_key, ~best_lane};
      target      <= row_block + {{BlockWidth - DeltaWidth{delta[DeltaWidth-1]}}, delta};
    end
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      state  <= Scan;
      group  <= {GroupWidth{1'b0}};
      issued <= {IssuedWidth{1'b0}};
      places <= AllPlaces;
    end else begin
      if (row_taken) begin
        state  <= Scan;
        group  <= {GroupWidth{1'b0}};
        issued <= {IssuedWidth{1'b0}};
      end else if (scanning) begin
        if (group == LastGroup) state <= Pick;
        else group <= group + OneGroup;
      end else if (state == Pick) begin
        state <= Ask;
        group <= best_group;
      end else if (asking) begin
        state <= Pick;
        if (issuing) issued <= issued + OneIssue;
      end
      if (issuing && !taken) places <= places - OnePlace;
      else if (taken && !issuing) places <= places + OnePlace;
    end
  end

endmodule
