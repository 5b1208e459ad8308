// The best of some numbers: the greatest, of equal ones the one with the lowest place.
//
// Contract: combinational. Of the candidates whose in_valid is set, out_place is the place of the one with the greatest key
// (two's complement) and out_key is that key; of equal keys the lowest place wins. With none set, out_valid is 0 and the
// rest means nothing. PlaceWidth bits count the Candidates, and are at least 1. A tree of comparisons, not a chain.
module tw_best #(
    parameter Candidates = 3,
    parameter Width      = 8,
    parameter PlaceWidth = 2
) (
    input  wire [      Candidates-1:0] in_valid,
    input  wire [Candidates*Width-1:0] in_keys,
    output wire                        out_valid,
    output wire [           Width-1:0] out_key,
    output wire [      PlaceWidth-1:0] out_place
);

  localparam Leaves = 1 << PlaceWidth;

  // Node n has the children 2n and 2n + 1, node 1 is the root, leaf i is node Leaves + i.
  reg [2*Leaves-1:0] valids;
  reg [2*Leaves*Width-1:0] keys;
  reg [2*Leaves*PlaceWidth-1:0] places;
  reg right;
  integer i;

  always @* begin
    valids = {2 * Leaves{1'b0}};
    keys   = {2 * Leaves * Width{1'b0}};
    places = {2 * Leaves * PlaceWidth{1'b0}};
    right  = 1'b0;
    for (i = 0; i < Candidates; i = i + 1) begin
      valids[Leaves+i] = in_valid[i];
      keys[(Leaves+i)*Width+:Width] = in_keys[i*Width+:Width];
      places[(Leaves+i)*PlaceWidth+:PlaceWidth] = i[PlaceWidth-1:0];
    end
    for (i = Leaves - 1; i > 0; i = i - 1) begin
      right = valids[2*i+1] && (!valids[2*i] || $signed(keys[(2*i+1)*Width+:Width]) > $signed(keys[2*i*Width+:Width]));
      valids[i] = valids[2*i] || valids[2*i+1];
      keys[i*Width+:Width] = right ? keys[(2*i+1)*Width+:Width] : keys[2*i*Width+:Width];
      places[i*PlaceWidth+:PlaceWidth] = right ? places[(2*i+1)*PlaceWidth+:PlaceWidth] : places[2*i*PlaceWidth+:PlaceWidth];
    end
  end

  assign out_valid = valids[1];
  assign out_key   = keys[Width+:Width];
  assign out_place = places[PlaceWidth+:PlaceWidth];

endmodule
