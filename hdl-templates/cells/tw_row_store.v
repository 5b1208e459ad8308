// Keeps the rows of a window where all of them can be read at once.
//
// Contract: rows come AtOnce at a time, which divides Rows, the first of them lowest. Of each Rows rows, row r is at `data`, row 0
// lowest, from the cycle after it came until the row r after it comes.
module tw_row_store #(
    parameter Rows   = 3,
    parameter Width  = 8,
    parameter AtOnce = 1
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    in_valid,
    input  wire [AtOnce*Width-1:0] in_data,
    output wire [  Rows*Width-1:0] data
);

  localparam Groups = Rows / AtOnce;
  localparam GroupWidth = (Groups > 1) ? $clog2(Groups) : 1;
  localparam [31:0] LastGroupWide = Groups - 1;
  localparam [GroupWidth-1:0] LastGroup = LastGroupWide[GroupWidth-1:0];
  localparam [GroupWidth-1:0] One = 1;

  reg [GroupWidth-1:0] group;

  always @(posedge clk) begin
    if (!rst_n) group <= {GroupWidth{1'b0}};
    else if (in_valid) group <= (group == LastGroup) ? {GroupWidth{1'b0}} : group + One;
  end

  genvar g;
  generate
    for (g = 0; g < Groups; g = g + 1) begin : g_group
      localparam [31:0] OwnWide = g;
      localparam [GroupWidth-1:0] Own = OwnWide[GroupWidth-1:0];
      reg [AtOnce*Width-1:0] kept;
      always @(posedge clk) if (in_valid && (group == Own)) kept <= in_data;
      assign data[g*AtOnce*Width+:AtOnce*Width] = kept;
    end
  endgenerate

endmodule
