// Out of one memory: a word without its check bits, put right where that can be.
//
// Contract: combinational. `stored` is a word in lanes, as tw_lanes_in makes it; Kind says what guards them (tw_check). `wrong` tells of
// all lanes: bit 0 that one was put right, bit 1 that one was left wrong.
module tw_lanes_out #(
    parameter Width      = 40,
    parameter Kind       = 0,
    parameter Checks     = 0,
    parameter LastChecks = 0,
    parameter Lanes      = 2,
    parameter Stored     = 40
) (
    input  wire [Stored-1:0] stored,
    output wire [ Width-1:0] data,
    output wire [       1:0] wrong
);

  localparam Last = Width - 32 * (Lanes - 1);
  localparam Lane = 32 + Checks;

  wire [Lanes-1:0] corrected;
  wire [Lanes-1:0] uncorrected;
  assign wrong = {uncorrected != {Lanes{1'b0}}, corrected != {Lanes{1'b0}}};

  genvar l;
  generate
    for (l = 0; l < Lanes; l = l + 1) begin : g_lane
      localparam Bits = (l == Lanes - 1) ? Last : 32;
      localparam Own = (l == Lanes - 1) ? LastChecks : Checks;
      tw_check #(
          .Bits(Bits),
          .Kind(Kind),
          .Checks(Own)
      ) u_check (
          .code(stored[l*Lane+:Bits+Own]),
          .data(data[l*32+:Bits]),
          .corrected(corrected[l]),
          .uncorrected(uncorrected[l])
      );
    end
  endgenerate

endmodule
