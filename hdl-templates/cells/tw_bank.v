// A table bank that is loaded at run time: two halves, of which one is read while the other is written.
//
// Contract: `data` holds the word of the `address` of the cycle before, from the half that `active` names. `active` changes only
// while nobody reads. `load` is the load bus (tw_loader); what it has for memory number Memory goes to the other half, 32 bits at
// a time. Kind says how these are guarded: 0 not, 1 by parity, 2 by SECDED (tw_guard). A word that `read` asked for and that is
// wrong sets a bit of `errors` two cycles after its `address`: bit 0 if all could be put right, bit 1 otherwise.
module tw_bank #(
    parameter Words        = 16,
    parameter Width        = 40,
    parameter AddressWidth = 4,
    parameter [11:0] Memory = 0,
    parameter Kind         = 0,
    parameter Checks       = 0,
    parameter LastChecks   = 0
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

  wire [19:0] load_word = load[70:51];
  wire unused_load = &{1'b0, load_word};

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

  wire [Stored-1:0] half_0;
  wire [Stored-1:0] half_1;
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

  wire [1:0] wrong;
  tw_lanes_out #(
      .Width(Width),
      .Kind(Kind),
      .Checks(Checks),
      .LastChecks(LastChecks),
      .Lanes(Lanes),
      .Stored(Stored)
  ) u_out (
      .stored(active ? half_1 : half_0),
      .data(data),
      .wrong(wrong)
  );

  reg was_read;
  always @(posedge clk) begin
    was_read <= rst_n && read;
    errors   <= {2{was_read}} & wrong;
  end

endmodule
