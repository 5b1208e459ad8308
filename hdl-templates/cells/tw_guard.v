// Check bits for up to 32 bits of data.
//
// Contract: combinational. Kind 0: none, `code` is the data. Kind 1: above the data a bit that makes the number of ones even.
// Kind 2: above the data the check bits of a Hamming code, check bit j the parity of all data bits whose place has bit j
// set, and on top a bit that makes the number of ones even. Data bit i has the i-th place that is no power of two: 3, 5, 6, 7, 9
// and so on; check bit j has place 2^j.
module tw_guard #(
    parameter Bits   = 32,
    parameter Kind   = 2,
    parameter Checks = 7
) (
    input  wire [       Bits-1:0] data,
    output wire [Bits+Checks-1:0] code
);

  // The data bits whose place has bit j set.
  function [Bits-1:0] covered_by;
    input integer bit_of_place;
    integer n, place;
    begin
      covered_by = {Bits{1'b0}};
      place = 2;
      for (n = 0; n < Bits; n = n + 1) begin
        place = place + 1;
        // From a power of two to the next place.
        if ((place & (place - 1)) == 0) place = place + 1;
        covered_by[n] = ((place >> bit_of_place) & 1) != 0;
      end
    end
  endfunction

  genvar j;
  generate
    if (Kind == 0) begin : g_none
      assign code = data;
    end else begin : g_checked
      wire [Bits+Checks-2:0] inner;
      assign inner[Bits-1:0] = data;
      for (j = 0; j < Checks - 1; j = j + 1) begin : g_check
        localparam [Bits-1:0] Covered = covered_by(j);
        assign inner[Bits+j] = ^(data & Covered);
      end
      assign code = {^inner, inner};
    end
  endgenerate

endmodule
