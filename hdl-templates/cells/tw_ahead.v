// The history of the accesses themselves: the newest goes on at once, the others ahead of the next one.
//
// Contract: an access is at the output in the cycle it comes, as the last of its window's Rows rows. The first Rows - 1 rows
// of the next window are known then, the oldest first: row r is at the output Gap + r * Pace cycles after the access came. So
// whoever reads the output sees whole windows, row 0 first. Reset is as good as an access: the first window's older rows
// come Gap + r * Pace cycles after its last edge. Accesses that have not come since are zeros. The plan lets no access come
// before the cycle after the last of the older rows.
module tw_ahead #(
    parameter Rows  = 4,
    parameter Width = 8,
    parameter Pace  = 1,
    parameter Gap   = 3
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             in_valid,
    input  wire [Width-1:0] in_data,
    output wire             out_valid,
    output wire [Width-1:0] out_data
);

  wire older_valid;
  wire [Width-1:0] older_data;
  tw_history #(
      .Rows (Rows - 1),
      .Width(Width),
      .Pace (Pace),
      .First(Gap),
      .Begin(1)
  ) u_older (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .in_data(in_data),
      .out_valid(older_valid),
      .out_data(older_data)
  );

  assign out_valid = in_valid || older_valid;
  assign out_data  = in_valid ? in_data : older_data;

endmodule
