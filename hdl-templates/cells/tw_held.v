// Constants that are loaded at run time: two sets of registers, of which one holds while the other is written.
//
// Contract: `data` is the set that `active` names; `active` changes only in a cycle with rst_n low. `load` is the load bus
// (tw_loader); what it has for memory number Memory goes to the other set, 32 bits at a time. Kind says how these are guarded:
// 0 not, 1 by parity, 2 by SECDED (tw_guard). When a bit becomes wrong a bit of `errors` is 1 for one cycle: bit 0 if all is put
// right, bit 1 otherwise.
module tw_held #(
    parameter Width      = 40,
    parameter [11:0] Memory = 0,
    parameter Kind       = 0,
    parameter Checks     = 0,
    parameter LastChecks = 0
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire [     83:0] load,
    input  wire             active,
    output wire [Width-1:0] data,
    output reg  [      1:0] errors
);

  localparam Lanes = (Width + 31) / 32;
  localparam Last = Width - 32 * (Lanes - 1);
  localparam Lane = 32 + Checks;
  localparam Stored = Lane * (Lanes - 1) + Last + LastChecks;

  wire [31:0] load_data = load[31:0];
  wire [6:0] load_checks = load[38:32];
  wire [11:0] load_lane = load[50:39];
  wire [11:0] load_memory = load[82:71];
  wire load_here = load[83] && (load_memory == Memory);
  wire unused_load = &{1'b0, load[70:51], load_checks, load_data};

  wire [Stored-1:0] set_0;
  wire [Stored-1:0] set_1;
  wire [Stored-1:0] found = active ? set_1 : set_0;
  wire [Lanes-1:0] corrected;
  wire [Lanes-1:0] uncorrected;

  genvar l;
  generate
    for (l = 0; l < Lanes; l = l + 1) begin : g_lane
      localparam Bits = (l == Lanes - 1) ? Last : 32;
      localparam Own = (l == Lanes - 1) ? LastChecks : Checks;
      localparam [31:0] HereWide = l;
      localparam [11:0] Here = HereWide[11:0];
      wire write = load_here && (load_lane == Here);
      wire [Bits+Own-1:0] code;
      reg [Bits+Own-1:0] lane_0;
      reg [Bits+Own-1:0] lane_1;
      assign set_0[l*Lane+:Bits+Own] = lane_0;
      assign set_1[l*Lane+:Bits+Own] = lane_1;
      always @(posedge clk) if (write && active) lane_0 <= code;
      always @(posedge clk) if (write && !active) lane_1 <= code;
      // The check bits of 32 bits, of which a lane of fewer needs fewer.
      if (Own == 0) begin : g_bare
        assign code = load_data[Bits-1:0];
      end else if (Own == 1) begin : g_parity
        assign code = {load_checks[6], load_data[Bits-1:0]};
      end else begin : g_secded
        assign code = {load_checks[6], load_checks[Own-2:0], load_data[Bits-1:0]};
      end
      tw_check #(
          .Bits(Bits),
          .Kind(Kind),
          .Checks(Own)
      ) u_check (
          .code(found[l*Lane+:Bits+Own]),
          .data(data[l*32+:Bits]),
          .corrected(corrected[l]),
          .uncorrected(uncorrected[l])
      );
    end
  endgenerate

  // Nothing changes here but by an upset, so what is wrong stays wrong; only its beginning counts.
  wire [1:0] wrong = {uncorrected != {Lanes{1'b0}}, corrected != {Lanes{1'b0}}};
  reg [1:0] known;
  always @(posedge clk) begin
    known  <= rst_n ? wrong : 2'b00;
    errors <= wrong & ~known;
  end

endmodule
