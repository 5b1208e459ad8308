// Keeps the rows of the last accesses, and sends them all whenever a new one comes.
//
// Contract: a new row takes the place of the oldest of Rows rows. Then all Rows rows leave, oldest first: row r is at the
// output First + r * Pace cycles after the new row came. Rows that have not come since the reset leave as zeros. With
// Begin = 1 they leave once before any came: First + r * Pace cycles after the last edge with rst_n low. The plan lets
// no row come before the cycle after the last one left.
module tw_history #(
    parameter Rows  = 3,
    parameter Width = 8,
    parameter Pace  = 1,
    parameter First = 1,
    parameter Begin = 0
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             in_valid,
    input  wire [Width-1:0] in_data,
    output wire             out_valid,
    output wire [Width-1:0] out_data
);

  localparam PlaceWidth = (Rows > 1) ? $clog2(Rows) : 1;
  localparam CountWidth = $clog2(Rows + 1);
  localparam Longest = (First > Pace) ? First : Pace;
  localparam PaceWidth = $clog2(Longest + 1);
  localparam [31:0] LastPlaceWide = Rows - 1;
  localparam [PlaceWidth-1:0] LastPlace = LastPlaceWide[PlaceWidth-1:0];
  localparam [PlaceWidth-1:0] OnePlace = 1;
  localparam [31:0] AllRowsWide = Rows;
  localparam [CountWidth-1:0] AllRows = AllRowsWide[CountWidth-1:0];
  localparam [CountWidth-1:0] OneRow = 1;
  localparam [31:0] PaceReloadWide = Pace - 1;
  localparam [PaceWidth-1:0] PaceReload = PaceReloadWide[PaceWidth-1:0];
  localparam [31:0] FirstReloadWide = First - 1;
  localparam [PaceWidth-1:0] FirstReload = FirstReloadWide[PaceWidth-1:0];
  localparam [PaceWidth-1:0] OneStep = 1;

  reg [Width-1:0] rows[0:Rows-1];
  // The oldest row's place, where the next one goes; while rows leave, the place of the one whose turn it is. Behind the
  // newest comes the oldest again.
  reg [PlaceWidth-1:0] place;
  reg [CountWidth-1:0] rows_left;
  reg [CountWidth-1:0] filled;
  reg [PaceWidth-1:0] pause;

  assign out_valid = (rows_left != {CountWidth{1'b0}}) && (pause == {PaceWidth{1'b0}});
  // What was never written is the oldest, and unknown.
  assign out_data  = (rows_left > filled) ? {Width{1'b0}} : rows[place];

  always @(posedge clk) if (in_valid) rows[place] <= in_data;

  always @(posedge clk) begin
    if (!rst_n) begin
      place <= {PlaceWidth{1'b0}};
      rows_left <= (Begin != 0) ? AllRows : {CountWidth{1'b0}};
      filled <= {CountWidth{1'b0}};
      pause <= FirstReload;
    end else begin
      if (in_valid || out_valid) place <= (place == LastPlace) ? {PlaceWidth{1'b0}} : place + OnePlace;
      if (in_valid) begin
        rows_left <= AllRows;
        pause <= FirstReload;
        if (filled != AllRows) filled <= filled + OneRow;
      end else if (out_valid) begin
        rows_left <= rows_left - OneRow;
        pause <= PaceReload;
      end else if (pause != {PaceWidth{1'b0}}) begin
        pause <= pause - OneStep;
      end
    end
  end

endmodule
