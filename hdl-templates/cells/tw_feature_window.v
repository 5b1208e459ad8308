// The feature window of a core that takes whole windows: the last accesses side by side.
//
// Contract: combinational from the newest access to the window, which has the Accesses - 1 accesses taken before in front of
// it, the oldest in the lowest bits. `take` says that the window of this cycle is taken: its newest access is then kept for
// those to come, its oldest forgotten. Accesses since a reset that never came are unknown.
module tw_feature_window #(
    parameter Accesses = 10,
    parameter Width    = 60
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      take,
    input  wire [         Width-1:0] newest,
    output wire [Accesses*Width-1:0] window
);

  generate
    if (Accesses > 1) begin : g_kept
      reg [(Accesses-1)*Width-1:0] kept;
      assign window = {newest, kept};
      always @(posedge clk) if (take) kept <= window[Accesses*Width-1:Width];
      wire unused_reset = rst_n;
    end else begin : g_none
      assign window = newest;
      wire unused_control = &{1'b0, clk, rst_n, take};
    end
  endgenerate

endmodule
