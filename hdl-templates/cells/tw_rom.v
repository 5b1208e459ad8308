// A frozen table bank: one registered read port.
//
// Contract: `data` holds the word of the `address` of the cycle before. Addresses are below Words. The contents come from
// File, one word a line in hexadecimal; without a file they are undefined (that is for linting the cell alone). Style tells
// FPGA synthesis what to make of it: "auto", "logic" or "block", as Yosys knows them; simulation does not care.
module tw_rom #(
    parameter Words        = 16,
    parameter Width        = 8,
    parameter AddressWidth = 4,
    parameter Style        = "auto",
    parameter File         = ""
) (
    input  wire                    clk,
    input  wire [AddressWidth-1:0] address,
    output reg  [       Width-1:0] data
);

  (* rom_style = Style *)
  reg [Width-1:0] mem[0:Words-1];

  initial if (File != "") $readmemh(File, mem);

  always @(posedge clk) data <= mem[address];

  // Read by synthesis alone, in the attribute above.
  wire unused_style = (Style == "auto");

endmodule
