// Adds each row's own constant, and puts the constant cls token in the place of row 0.
//
// Contract: Rows rows of Lanes numbers a window, Cut cycles of latency. out = in * 2^Shift + constant of the row; with
// Lead = 1 row 0 is the constant alone. File holds one line a row, lane 0 in the lowest bits, OutWidth bits a lane.
module tw_position #(
    parameter Rows     = 4,
    parameter Lanes    = 2,
    parameter InWidth  = 8,
    parameter Shift    = 1,
    parameter OutWidth = 10,
    parameter Lead     = 0,
    parameter [0:0] Cut = 1'b1,
    parameter File     = ""
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] One = 1;

  reg [RowWidth-1:0] row;
  reg [RowWidth-1:0] next_row;
  wire [Lanes*OutWidth-1:0] constants;
  wire alone = (Lead != 0) && (row == {RowWidth{1'b0}});

  always @* begin
    next_row = row;
    if (!rst_n) next_row = {RowWidth{1'b0}};
    else if (in_valid) next_row = (row == LastRow) ? {RowWidth{1'b0}} : row + One;
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

  // Read ahead: the constants of row r are at the bank's output when row r comes.
  tw_rom #(
      .Words(Rows),
      .Width(Lanes * OutWidth),
      .AddressWidth(RowWidth),
      .File(File)
  ) u_constants (
      .clk(clk),
      .address(next_row),
      .data(constants)
  );

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
