// A table bank that is loaded at run time: two halves, of which one is read while the other is written.
//
// Contract: `data` holds the word of the `address` of the cycle before, or with Cut = 1 of two cycles before, from the half that
// `active` names. `active` changes only while nobody reads. `load` is the load bus (tw_loader); what it has for memory
// number Memory goes to the other half, 32 bits at a time. Kind says how these are guarded: 0 not, 1 by parity, 2 by SECDED
// (tw_guard). A word that `read` asked for and that is wrong sets a bit of `errors` two cycles after its
// `address`: bit 0 if all could be put right, bit 1 otherwise.
module tw_bank #(
    parameter Words        = 16,
    parameter Width        = 40,
    parameter AddressWidth = 4,
    parameter [11:0] Memory = 0,
    parameter Kind         = 0,
    parameter Checks       = 0,
    parameter LastChecks   = 0,
    parameter [0:0] Cut    = 1'b0
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire [            83:0] load,
    input  wire                    active,
    input  wire                    read,
    input  wire [AddressWidth-1:0] address,
    output wire [       Width-1:0] data,
    output reg  [             1:0] errors
);

  localparam Lanes = (Width + 31) / 32;
  localparam Last = Width - 32 * (Lanes - 1);
  localparam Lane = 32 + Checks;
  localparam Stored = Lane * (Lanes - 1) + Last + LastChecks;

  wire [31:0] load_data = load[31:0];
  wire [6:0] load_checks = load[38:32];
  wire [11:0] load_lane = load[50:39];
  wire [19:0] load_word = load[70:51];
  wire [11:0] load_memory = load[82:71];
  wire load_here = load[83] && (load_memory == Memory);
  wire unused_load = &{1'b0, load_word, load_checks, load_data};

  // Each lane comes with its check bits.
  wire [Stored-1:0] in_data;
  wire [Lanes-1:0] write;
  wire [Stored-1:0] half_0;
  wire [Stored-1:0] half_1;
  wire [Stored-1:0] found = active ? half_1 : half_0;
  wire [Width-1:0] right;
  wire [Lanes-1:0] corrected;
  wire [Lanes-1:0] uncorrected;
  reg was_read;
  always @(posedge clk) was_read <= rst_n && read;

  genvar l;
  generate
    for (l = 0; l < Lanes; l = l + 1) begin : g_lane
      localparam Bits = (l == Lanes - 1) ? Last : 32;
      localparam Own = (l == Lanes - 1) ? LastChecks : Checks;
      localparam [31:0] HereWide = l;
      localparam [11:0] Here = HereWide[11:0];
      assign write[l] = load_here && (load_lane == Here);
      // The check bits of 32 bits, of which a lane of fewer needs fewer.
      if (Own == 0) begin : g_bare
        assign in_data[l*Lane+:Bits+Own] = load_data[Bits-1:0];
      end else if (Own == 1) begin : g_parity
        assign in_data[l*Lane+:Bits+Own] = {load_checks[6], load_data[Bits-1:0]};
      end else begin : g_secded
        assign in_data[l*Lane+:Bits+Own] = {load_checks[6], load_checks[Own-2:0], load_data[Bits-1:0]};
      end
      tw_check #(
          .Bits(Bits),
          .Kind(Kind),
          .Checks(Own)
      ) u_check (
          .code(found[l*Lane+:Bits+Own]),
          .data(right[l*32+:Bits]),
          .corrected(corrected[l]),
          .uncorrected(uncorrected[l])
      );
    end
  endgenerate

  tw_ram #(
      .Words(Words),
      .Width(Stored),
      .AddressWidth(AddressWidth),
      .Lane(Lane),
      .Lanes(Lanes)
  ) u_half_0 (
      .clk(clk),
      .write(write & {Lanes{active}}),
      .address(active ? load_word[AddressWidth-1:0] : address),
      .in_data(in_data),
      .out_data(half_0)
  );
  tw_ram #(
      .Words(Words),
      .Width(Stored),
      .AddressWidth(AddressWidth),
      .Lane(Lane),
      .Lanes(Lanes)
  ) u_half_1 (
      .clk(clk),
      .write(write & {Lanes{!active}}),
      .address(active ? address : load_word[AddressWidth-1:0]),
      .in_data(in_data),
      .out_data(half_1)
  );

  tw_cut #(
      .Width(Width),
      .Cut  (Cut)
  ) u_cut (
      .clk(clk),
      .in_data(right),
      .out_data(data)
  );

  always @(posedge clk) errors <= {2{was_read}} & {uncorrected != {Lanes{1'b0}}, corrected != {Lanes{1'b0}}};

endmodule
