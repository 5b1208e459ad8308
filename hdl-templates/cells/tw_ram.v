// A single-port memory: in a cycle it is either read or written. On a chip a macro with a write mask takes the place of this
// module.
//
// Contract: with no bit of `write` set, `out_data` holds the word of the `address` of the cycle before. Bit l of `write` writes
// lane l of `in_data`: Lane bits from l * Lane up, the last lane perhaps narrower. What `out_data` holds behind a write is not
// defined.
module tw_ram #(
    parameter Words        = 16,
    parameter Width        = 40,
    parameter AddressWidth = 4,
    parameter Lane         = 32,
    parameter Lanes        = 2
) (
    input  wire                    clk,
    input  wire [       Lanes-1:0] write,
    input  wire [AddressWidth-1:0] address,
    input  wire [       Width-1:0] in_data,
    output reg  [       Width-1:0] out_data
);

  reg [Width-1:0] mem[0:Words-1];

  always @(posedge clk) if (write == {Lanes{1'b0}}) out_data <= mem[address];

  genvar l;
  generate
    for (l = 0; l < Lanes; l = l + 1) begin : g_lane
      localparam Bits = (l == Lanes - 1) ? Width - l * Lane : Lane;
      always @(posedge clk) if (write[l]) mem[address][l*Lane+:Bits] <= in_data[l*Lane+:Bits];
    end
  endgenerate

endmodule
