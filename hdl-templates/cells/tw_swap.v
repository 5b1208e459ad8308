// Changes over from the active table set to the one loaded, between two predictions.
//
// Contract: `want` asks for it, in a cycle in which `loaded` is 1. From then on nobody is admitted (`hold`), and the loader takes
// no word (`busy`), until all that was admitted has left (`taken`). In the next cycle `run_rst_n` is 0 and `swapped` 1; behind it `active` names
// the other set, `valid` says that there is one, and admission goes on. The predictor is reset by `run_rst_n`, so what it keeps of
// earlier accesses, computed with the old set, is gone. Before the first change the predictor is held in reset. A reset of all
// forgets the set.
module tw_swap #(
    parameter Places = 4
) (
    input  wire clk,
    input  wire rst_n,
    input  wire loaded,
    input  wire want,
    input  wire admitted,
    input  wire taken,
    output wire hold,
    output wire busy,
    output wire run_rst_n,
    output wire swapped,
    output reg  active,
    output reg  valid
);

  localparam CountWidth = $clog2(Places + 1);
  localparam [CountWidth-1:0] One = 1;

  reg wanted;
  reg [CountWidth-1:0] admitted_left;
  // A cycle in which nobody is admitted and nobody is left.
  reg change;

  assign hold = !valid || wanted || change;
  assign busy = wanted || change;
  assign swapped = change;
  assign run_rst_n = rst_n && valid && !change;

  always @(posedge clk) begin
    if (!rst_n) begin
      wanted <= 1'b0;
      admitted_left <= {CountWidth{1'b0}};
      change <= 1'b0;
      active <= 1'b0;
      valid  <= 1'b0;
    end else begin
      if (admitted && !taken) admitted_left <= admitted_left + One;
      else if (taken && !admitted) admitted_left <= admitted_left - One;
      change <= wanted && !change && (admitted_left == {CountWidth{1'b0}});
      if (change) begin
        wanted <= 1'b0;
        active <= !active;
        valid  <= 1'b1;
      end else if (want && loaded) begin
        wanted <= 1'b1;
      end
    end
  end

endmodule
