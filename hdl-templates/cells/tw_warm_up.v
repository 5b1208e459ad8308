// Is the history full?
//
// Contract: `full` is set when the access of this cycle is at least the Accesses-th taken since the reset, itself counted.
// `take` says that it is taken.
module tw_warm_up #(
    parameter Accesses = 10
) (
    input  wire clk,
    input  wire rst_n,
    input  wire take,
    output wire full
);

  generate
    if (Accesses > 1) begin : g_count
      localparam CountWidth = $clog2(Accesses);
      localparam [31:0] MissingWide = Accesses - 1;
      localparam [CountWidth-1:0] Missing = MissingWide[CountWidth-1:0];
      localparam [CountWidth-1:0] One = 1;
      reg [CountWidth-1:0] missing;
      assign full = missing == {CountWidth{1'b0}};
      always @(posedge clk) begin
        if (!rst_n) missing <= Missing;
        else if (take && !full) missing <= missing - One;
      end
    end else begin : g_always
      assign full = 1'b1;
      wire unused_control = &{1'b0, clk, rst_n, take};
    end
  endgenerate

endmodule
