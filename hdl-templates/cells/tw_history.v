// Keeps the rows of the last accesses: the newest goes on at once, the others ahead of the next one.
//
// Contract: a row is at the output in the cycle it comes, as the last of its window's Rows rows. The first Rows - 1 rows
// of the next window are known then, the oldest first: row r is at the output Gap + r * Pace cycles after the newest came. So
// whoever reads the output sees whole windows, row 0 first. The older rows of the first window after a reset come
// Begin + r * Pace cycles after its last edge. Rows that have not come since the reset are zeros. The plan lets no row come
// before the cycle after the last of the older ones.
module tw_history #(
    parameter Rows  = 4,
    parameter Width = 8,
    parameter Pace  = 1,
    parameter Gap   = 3,
    parameter Begin = 3
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             in_valid,
    input  wire [Width-1:0] in_data,
    output wire             out_valid,
    output wire [Width-1:0] out_data
);

  localparam Kept = Rows - 1;
  localparam Longest = (Begin > Gap) ? Begin : Gap;
  localparam PlaceWidth = (Kept > 1) ? $clog2(Kept) : 1;
  localparam CountWidth = $clog2(Kept + 1);
  localparam PauseWidth = $clog2(Longest + 1);
  localparam [31:0] LastPlaceWide = Kept - 1;
  localparam [PlaceWidth-1:0] LastPlace = LastPlaceWide[PlaceWidth-1:0];
  localparam [PlaceWidth-1:0] OnePlace = 1;
  localparam [31:0] AllRowsWide = Kept;
  localparam [CountWidth-1:0] AllRows = AllRowsWide[CountWidth-1:0];
  localparam [CountWidth-1:0] OneRow = 1;
  localparam [31:0] PaceReloadWide = Pace - 1;
  localparam [PauseWidth-1:0] PaceReload = PaceReloadWide[PauseWidth-1:0];
  localparam [31:0] GapReloadWide = Gap - 1;
  localparam [PauseWidth-1:0] GapReload = GapReloadWide[PauseWidth-1:0];
  localparam [31:0] BeginReloadWide = Begin - 1;
  localparam [PauseWidth-1:0] BeginReload = BeginReloadWide[PauseWidth-1:0];
  localparam [PauseWidth-1:0] OneStep = 1;

  reg [Width-1:0] rows[0:Kept-1];
  // The oldest row's place, where the next one goes; while rows leave, the place of the one whose turn it is. Behind the
  // newest comes the oldest again.
  reg [PlaceWidth-1:0] place;
  reg [CountWidth-1:0] rows_left;
  reg [CountWidth-1:0] filled;
  reg [PauseWidth-1:0] pause;

  wire older_valid = (rows_left != {CountWidth{1'b0}}) && (pause == {PauseWidth{1'b0}});
  // What was never written is the oldest, and unknown.
  wire [Width-1:0] older = (rows_left > filled) ? {Width{1'b0}} : rows[place];

  assign out_valid = in_valid || older_valid;
  assign out_data  = in_valid ? in_data : older;

  always @(posedge clk) if (in_valid) rows[place] <= in_data;

  always @(posedge clk) begin
    if (!rst_n) begin
      place <= {PlaceWidth{1'b0}};
      rows_left <= AllRows;
      filled <= {CountWidth{1'b0}};
      pause <= BeginReload;
    end else begin
      if (in_valid || older_valid) place <= (place == LastPlace) ? {PlaceWidth{1'b0}} : place + OnePlace;
      if (in_valid) begin
        rows_left <= AllRows;
        pause <= GapReload;
        if (filled != AllRows) filled <= filled + OneRow;
      end else if (older_valid) begin
        rows_left <= rows_left - OneRow;
        pause <= PaceReload;
      end else if (pause != {PauseWidth{1'b0}}) begin
        pause <= pause - OneStep;
      end
    end
  end

endmodule
