// From the load bus into one memory: which of its lanes are written, and with what.
//
// Contract: combinational. A word of Width bits is kept in lanes of 32 bits, the last one perhaps narrower, each with its check
// bits above it (tw_guard): Checks for a whole lane, LastChecks for the last. `load` is the load bus (tw_loader). `write` has a bit
// for each lane and is set where the bus has that lane for memory number Memory; `stored` has what the bus has, in every lane.
module tw_lanes_in #(
    parameter Width      = 40,
    parameter [11:0] Memory = 0,
    parameter Checks     = 0,
    parameter LastChecks = 0,
    parameter Lanes      = 2,
    parameter Stored     = 40
) (
    input  wire [      83:0] load,
    output wire [ Lanes-1:0] write,
    output wire [Stored-1:0] stored
);

  localparam Last = Width - 32 * (Lanes - 1);
  localparam Lane = 32 + Checks;

  wire [31:0] data = load[31:0];
  wire [6:0] checks = load[38:32];
  wire [11:0] lane = load[50:39];
  wire here = load[83] && (load[82:71] == Memory);
  wire unused_load = &{1'b0, load[70:51], checks, data};

  genvar l;
  generate
    for (l = 0; l < Lanes; l = l + 1) begin : g_lane
      localparam Bits = (l == Lanes - 1) ? Last : 32;
      localparam Own = (l == Lanes - 1) ? LastChecks : Checks;
      localparam [31:0] PlaceWide = l;
      localparam [11:0] Place = PlaceWide[11:0];
      assign write[l] = here && (lane == Place);
      // The check bits of 32 bits, of which a lane of fewer needs fewer.
      if (Own == 0) begin : g_bare
        assign stored[l*Lane+:Bits] = data[Bits-1:0];
      end else if (Own == 1) begin : g_parity
        assign stored[l*Lane+:Bits+1] = {checks[6], data[Bits-1:0]};
      end else begin : g_secded
        assign stored[l*Lane+:Bits+Own] = {checks[6], checks[Own-2:0], data[Bits-1:0]};
      end
    end
  endgenerate

endmodule
