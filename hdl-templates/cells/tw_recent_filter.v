// The recent-request filter: the last blocks that were demanded or prefetched.
//
// Contract: `seen` says, in the same cycle, whether `block` is inside. With `enter` a block that is not inside enters, and
// where all Entries places are taken the one that entered first leaves; a block that is inside stays where it is in that
// order. Empty after a reset. Without Entries nothing is ever seen.
module tw_recent_filter #(
    parameter Entries = 4,
    parameter Width   = 58
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire [Width-1:0] block,
    input  wire             enter,
    output wire             seen
);

  generate
    if (Entries > 0) begin : g_filter
      localparam PlaceWidth = (Entries > 1) ? $clog2(Entries) : 1;
      localparam [31:0] LastWide = Entries - 1;
      localparam [PlaceWidth-1:0] Last = LastWide[PlaceWidth-1:0];
      localparam [PlaceWidth-1:0] Next = 1;

      // The place that was written first, or has not been written since the reset.
      reg  [PlaceWidth-1:0] oldest;
      wire [   Entries-1:0] hits;
      wire write = enter && !seen;
      assign seen = |hits;

      always @(posedge clk) begin
        if (!rst_n) oldest <= {PlaceWidth{1'b0}};
        else if (write) oldest <= (oldest == Last) ? {PlaceWidth{1'b0}} : oldest + Next;
      end

      genvar i;
      for (i = 0; i < Entries; i = i + 1) begin : g_entry
        localparam [31:0] HereWide = i;
        localparam [PlaceWidth-1:0] Here = HereWide[PlaceWidth-1:0];
        reg filled;
        reg [Width-1:0] entry;
        assign hits[i] = filled && (entry == block);
        always @(posedge clk) begin
          if (!rst_n) filled <= 1'b0;
          else if (write && (oldest == Here)) filled <= 1'b1;
        end
        always @(posedge clk) if (write && (oldest == Here)) entry <= block;
      end
    end else begin : g_none
      assign seen = 1'b0;
      wire unused_inputs = &{1'b0, clk, rst_n, block, enter};
    end
  endgenerate

endmodule
