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

  wire [Lanes-1:0] write;
  wire [Stored-1:0] in_data;
  tw_lanes_in #(
      .Width(Width),
      .Memory(Memory),
      .Checks(Checks),
      .LastChecks(LastChecks),
      .Lanes(Lanes),
      .Stored(Stored)
  ) u_in (
      .load(load),
      .write(write),
      .stored(in_data)
  );

  // The last lane is narrower than the others.
  wire [Stored-1:0] set_0;
  wire [Stored-1:0] set_1;
  genvar l;
  generate
    for (l = 0; l < Lanes; l = l + 1) begin : g_lane
      localparam Bits = (l == Lanes - 1) ? Last + LastChecks : Lane;
      reg [Bits-1:0] lane_0;
      reg [Bits-1:0] lane_1;
      assign set_0[l*Lane+:Bits] = lane_0;
      assign set_1[l*Lane+:Bits] = lane_1;
      always @(posedge clk) if (write[l] && active) lane_0 <= in_data[l*Lane+:Bits];
      always @(posedge clk) if (write[l] && !active) lane_1 <= in_data[l*Lane+:Bits];
    end
  endgenerate

  wire [1:0] wrong;
  tw_lanes_out #(
      .Width(Width),
      .Kind(Kind),
      .Checks(Checks),
      .LastChecks(LastChecks),
      .Lanes(Lanes),
      .Stored(Stored)
  ) u_out (
      .stored(active ? set_1 : set_0),
      .data(data),
      .wrong(wrong)
  );

  // Nothing changes here but by an upset, so what is wrong stays wrong; only its beginning counts.
  reg [1:0] known;
  always @(posedge clk) begin
    known  <= rst_n ? wrong : 2'b00;
    errors <= wrong & ~known;
  end

endmodule
