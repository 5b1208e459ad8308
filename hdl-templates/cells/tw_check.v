// Finds what has become wrong in a word with its check bits, and puts right what can be.
//
// Contract: combinational; `code` as tw_guard makes it. Kind 0: `data` is the code. Kind 1: one wrong bit sets `uncorrected`.
// Kind 2: one wrong bit, wherever it is, is put right and sets `corrected`; two set `uncorrected`, and `data` is as it came.
module tw_check #(
    parameter Bits   = 32,
    parameter Kind   = 2,
    parameter Checks = 7
) (
    input  wire [Bits+Checks-1:0] code,
    output wire [       Bits-1:0] data,
    output wire                   corrected,
    output wire                   uncorrected
);

  // The place of data bit `wanted`.
  function integer place_of;
    input integer wanted;
    integer n;
    begin
      place_of = 2;
      for (n = 0; n <= wanted; n = n + 1) begin
        place_of = place_of + 1;
        if ((place_of & (place_of - 1)) == 0) place_of = place_of + 1;
      end
    end
  endfunction

  genvar i;
  generate
    if (Kind == 0) begin : g_none
      assign data = code;
      assign corrected = 1'b0;
      assign uncorrected = 1'b0;
    end else if (Kind == 1) begin : g_parity
      assign data = code[Bits-1:0];
      assign corrected = 1'b0;
      assign uncorrected = ^code;
    end else begin : g_secded
      wire [Bits+Checks-1:0] again;
      tw_guard #(
          .Bits(Bits),
          .Kind(Kind),
          .Checks(Checks)
      ) u_again (
          .data(code[Bits-1:0]),
          .code(again)
      );
      wire unused_again = &{1'b0, again};
      // The place of a single wrong bit; 0 is the bit for all.
      wire [Checks-1:0] syndrome = {1'b0, again[Bits+Checks-2:Bits] ^ code[Bits+Checks-2:Bits]};
      wire odd = ^code;
      wire [Bits-1:0] wrong;
      for (i = 0; i < Bits; i = i + 1) begin : g_bit
        localparam [31:0] OwnWide = place_of(i);
        localparam [Checks-1:0] Own = OwnWide[Checks-1:0];
        assign wrong[i] = odd && (syndrome == Own);
      end
      // No data bit and no check bit has a place beyond these: more than one bit is wrong.
      wire check_bit = (syndrome & (syndrome - {{Checks - 1{1'b0}}, 1'b1})) == {Checks{1'b0}};
      wire single = (wrong != {Bits{1'b0}}) || check_bit;
      assign data = code[Bits-1:0] ^ wrong;
      assign corrected = odd && single;
      assign uncorrected = odd ? !single : (syndrome != {Checks{1'b0}});
    end
  endgenerate

endmodule
