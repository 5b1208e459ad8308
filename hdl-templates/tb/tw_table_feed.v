// Plays an image of tables on a load stream. Simulation only.
//
// Contract: after each reset the words of File, or of the file that +tables=FILE names, one a line in hexadecimal, go out once, one whenever `tready` is 1, tlast with
// the last.
module tw_table_feed #(
    parameter Words = 2,
    parameter File  = ""
) (
    input  wire        clk,
    input  wire        rst_n,
    output wire        tvalid,
    input  wire        tready,
    output wire [31:0] tdata,
    output wire        tlast
);

  reg [31:0] image[0:Words-1];
  reg [8*1024-1:0] other;
  initial begin
    if ($value$plusargs("tables=%s", other)) $readmemh(other, image);
    else if (File != "") $readmemh(File, image);
  end

  integer next;
  assign tvalid = rst_n && (next < Words);
  assign tdata = image[next%Words];
  assign tlast = next == Words - 1;
  always @(posedge clk) begin
    if (!rst_n) next <= 0;
    else if (tvalid && tready) next <= next + 1;
  end

endmodule
