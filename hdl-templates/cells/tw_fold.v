// A row of codes for every part of a folded table.
//
// Contract: a row comes every Parts cycles at most. It leaves in the same cycle as part 0, and as the parts behind it in the
// cycles that follow. Parts is a power of two, at least 2.
module tw_fold #(
    parameter Parts = 4,
    parameter Width = 6
) (
    input  wire                     clk,
    input  wire                     rst_n,
    input  wire                     in_valid,
    input  wire [        Width-1:0] in_data,
    output wire                     out_valid,
    output wire [        Width-1:0] out_data,
    output reg  [$clog2(Parts)-1:0] out_part
);

  localparam PartWidth = $clog2(Parts);
  localparam [PartWidth-1:0] One = 1;

  reg [Width-1:0] kept;
  // Between two rows the number is 0.
  wire later = (out_part != {PartWidth{1'b0}});

  assign out_valid = in_valid || later;
  assign out_data  = later ? kept : in_data;

  always @(posedge clk) if (in_valid) kept <= in_data;

  always @(posedge clk) begin
    if (!rst_n) out_part <= {PartWidth{1'b0}};
    else if (out_valid) out_part <= out_part + One;
  end

endmodule
