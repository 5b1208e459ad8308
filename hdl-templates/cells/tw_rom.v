// A frozen table bank: one registered read port.
//
// Contract: `data` holds the word of the `address` of the cycle before. Addresses are below Words. The contents come from
// File, one word a line in hexadecimal; without a file they are undefined (that is for linting the cell alone).
module tw_rom #(
    parameter Words        = 16,
    parameter Width        = 8,
    parameter AddressWidth = 4,
    parameter File         = ""
) (
    input  wire                    clk,
    input  wire [AddressWidth-1:0] address,
    output reg  [       Width-1:0] data
);

  reg [Width-1:0] mem[0:Words-1];

  initial if (File != "") $readmemh(File, mem);

  always @(posedge clk) data <= mem[address];

endmodule
