// The residual sum: rows that came early wait for their partners.
//
// Contract: row r of `a` comes at least one cycle before row r of `b`; the sum comes Cut cycles after b.
// out = a * 2^AShift + b * 2^BShift, exact in OutWidth bits. At most Rows rows of a wait, of one window or of several.
module tw_residual #(
    parameter Rows     = 3,
    parameter Lanes    = 2,
    parameter AWidth   = 8,
    parameter AShift   = 1,
    parameter BWidth   = 9,
    parameter BShift   = 0,
    parameter OutWidth = 10,
    parameter [0:0] Cut = 1'b1
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      a_valid,
    input  wire [  Lanes*AWidth-1:0] a_data,
    input  wire                      b_valid,
    input  wire [  Lanes*BWidth-1:0] b_data,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam RowWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam [31:0] LastRowWide = Rows - 1;
  localparam [RowWidth-1:0] LastRow = LastRowWide[RowWidth-1:0];
  localparam [RowWidth-1:0] One = 1;

  reg [Lanes*AWidth-1:0] waiting[0:Rows-1];
  reg [RowWidth-1:0] a_row;
  reg [RowWidth-1:0] b_row;
  wire [Lanes*AWidth-1:0] partner = waiting[b_row];

  always @(posedge clk) if (a_valid) waiting[a_row] <= a_data;

  always @(posedge clk) begin
    if (!rst_n) begin
      a_row <= {RowWidth{1'b0}};
      b_row <= {RowWidth{1'b0}};
    end else begin
      if (a_valid) a_row <= (a_row == LastRow) ? {RowWidth{1'b0}} : a_row + One;
      if (b_valid) b_row <= (b_row == LastRow) ? {RowWidth{1'b0}} : b_row + One;
    end
  end

  tw_valid #(
      .Steps(1),
      .Cuts (Cut)
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(b_valid),
      .out_valid(out_valid)
  );

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [AWidth-1:0] a = partner[i*AWidth+:AWidth];
      wire [BWidth-1:0] b = b_data[i*BWidth+:BWidth];
      wire [OutWidth-1:0] wide_a = {{(OutWidth - AWidth - AShift) {a[AWidth-1]}}, a, {AShift{1'b0}}};
      wire [OutWidth-1:0] wide_b = {{(OutWidth - BWidth - BShift) {b[BWidth-1]}}, b, {BShift{1'b0}}};
      wire [OutWidth-1:0] sum = wide_a + wide_b;
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
