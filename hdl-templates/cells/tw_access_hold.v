// Holds the newest demand access until it is taken; the newest wins.
//
// Contract: an access is taken in whenever in_valid is set outside reset; nobody is ever made to wait. It is offered from the
// next cycle on. One that comes while another is held and not taken in that very cycle takes its place: the older one is
// dropped, and counted in `dropped`, which stays at its greatest value once it is there. An offer that is not taken may
// therefore change.
module tw_access_hold #(
    parameter Width      = 64,
    parameter CountWidth = 32
) (
    input  wire                  clk,
    input  wire                  rst_n,
    input  wire                  in_valid,
    input  wire [     Width-1:0] in_data,
    output reg                   out_valid,
    input  wire                  out_ready,
    output reg  [     Width-1:0] out_data,
    output reg  [CountWidth-1:0] dropped
);

  localparam [CountWidth-1:0] One = 1;

  always @(posedge clk) if (in_valid) out_data <= in_data;

  always @(posedge clk) begin
    if (!rst_n) begin
      out_valid <= 1'b0;
      dropped   <= {CountWidth{1'b0}};
    end else begin
      if (in_valid) out_valid <= 1'b1;
      else if (out_ready) out_valid <= 1'b0;
      if (in_valid && out_valid && !out_ready && (dropped != {CountWidth{1'b1}})) dropped <= dropped + One;
    end
  end

endmodule
