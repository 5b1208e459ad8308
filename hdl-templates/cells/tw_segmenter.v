// Cuts a demand access into the segments that the model sees.
//
// Contract: combinational, wires but for the folding of the program counter. Segment s < AddressSegments has the bits
// s * SegmentBits and up of the block address (the byte address without its BlockBits lowest bits); the PcSegments behind
// have the same of the program counter folded to 16 bits: t = pc ^ (pc >> 32), then t ^ (t >> 16), its lowest 16. Bits
// beyond either are zero.
module tw_segmenter #(
    parameter BlockBits       = 6,
    parameter SegmentBits     = 6,
    parameter AddressSegments = 10,
    parameter PcSegments      = 0
) (
    input  wire [                                        63:0] address,
    input  wire [                                        63:0] pc,
    output wire [                              63-BlockBits:0] block,
    output wire [(AddressSegments+PcSegments)*SegmentBits-1:0] segments
);

  localparam AddressBits = AddressSegments * SegmentBits;
  localparam PcBits = PcSegments * SegmentBits;

  assign block = address[63:BlockBits];
  wire [15:0] folded = pc[15:0] ^ pc[31:16] ^ pc[47:32] ^ pc[63:48];

  // Zeros above both, so that a segment may reach beyond; what no segment reaches is not read.
  wire [64+AddressBits-BlockBits-1:0] wide_block = {{AddressBits{1'b0}}, block};
  wire [16+PcBits-1:0] wide_pc = {{PcBits{1'b0}}, folded};
  wire unused_bits = &{1'b0, wide_block, wide_pc, address};

  genvar i;
  generate
    for (i = 0; i < AddressBits; i = i + 1) begin : g_address
      assign segments[i] = wide_block[i];
    end
    for (i = 0; i < PcBits; i = i + 1) begin : g_pc
      assign segments[AddressBits+i] = wide_pc[i];
    end
  endgenerate

endmodule
