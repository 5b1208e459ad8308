// The features that a tree looks at, where which ones these are is loaded.
//
// Contract: combinational. Feature i at bits i * Width and up of `features`; for each of Levels levels an index of IndexWidth bits
// in `chosen`, level 0 lowest; `keys` has the features chosen, level 0 lowest. Indices are below Features.
module tw_feature_select #(
    parameter Features   = 5,
    parameter Width      = 8,
    parameter Levels     = 3,
    parameter IndexWidth = 3
) (
    input  wire [   Features*Width-1:0] features,
    input  wire [Levels*IndexWidth-1:0] chosen,
    output wire [     Levels*Width-1:0] keys
);

  genvar l;
  generate
    for (l = 0; l < Levels; l = l + 1) begin : g_level
      wire [IndexWidth-1:0] index = chosen[l*IndexWidth+:IndexWidth];
      reg [Width-1:0] key;
      integer f;
      always @* begin
        key = {Width{1'b0}};
        for (f = 0; f < Features; f = f + 1)
          key = key | ({Width{index == f[IndexWidth-1:0]}} & features[f*Width+:Width]);
      end
      assign keys[l*Width+:Width] = key;
    end
  endgenerate

endmodule
