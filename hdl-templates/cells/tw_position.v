// Adds each row's own constant, and puts the constant cls token in the place of row 0.
//
// Contract: Rows rows of Lanes numbers a window, Cut cycles of latency. out = in * 2^Shift + constant of the row; with
// Lead = 1 row 0 is the constant alone. The constants lie in a memory beside this module: `constants` is the word of the
// `address` of the cycle before, lane 0 in the lowest bits, OutWidth bits a lane.
module tw_position #(
    parameter Rows     = 4,
    parameter Lanes    = 2,
    parameter InWidth  = 8,
    parameter Shift    = 1,
    parameter OutWidth = 10,
    parameter Lead     = 0,
    parameter [0:0] Cut = 1'b1,
    parameter AddressWidth = 2
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output wire [  AddressWidth-1:0] address,
    input  wire [Lanes*OutWidth-1:0] constants,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam [31:0] LastRowWide = Rows - 1;
  localparam [AddressWidth-1:0] LastRow = LastRowWide[AddressWidth-1:0];
  localparam [AddressWidth-1:0] One = 1;

  reg [AddressWidth-1:0] row;
  reg [AddressWidth-1:0] next_row;
  wire alone = (Lead != 0) && (row == {AddressWidth{1'b0}});

  always @* begin
    next_row = row;
    if (!rst_n) next_row = {AddressWidth{1'b0}};
    else if (in_valid) next_row = (row == LastRow) ? {AddressWidth{1'b0}} : row + One;
  end

  always @(posedge clk) row <= next_row;

  tw_valid #(
      .Steps(1),
      .Cuts (Cut)
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  // Read ahead: the constants of row r are at the memory's output when row r comes.
  assign address = next_row;

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire [OutWidth-1:0] aligned = {{(OutWidth - InWidth - Shift) {x[InWidth-1]}}, x, {Shift{1'b0}}};
      wire [OutWidth-1:0] sum = constants[i*OutWidth+:OutWidth] + (alone ? {OutWidth{1'b0}} : aligned);
      tw_cut #(
          .Width(OutWidth),
          .Cut  (Cut)
      ) u_cut (
          .clk(clk),
          .in_data(sum),
          .out_data(lanes[i*OutWidth+:OutWidth])
      );
    end
  endgenerate

endmodule
