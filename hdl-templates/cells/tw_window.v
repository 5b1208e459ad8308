// Admission of windows, and their rows one after the other.
//
// Contract: a window is accepted (cycle 0) when Interval cycles have passed since the one before and fewer than Places
// windows are between here and the consumer; `taken` says that one has left. Row r is at the output in cycle
// 1 + r * Pace, lowest bits of the window first. With Lead = 1 an all-zero row comes first, in the place of the cls token.
// With Begin = 1 the first one after a reset waits Interval cycles too, for what a reset sets going.
// Nothing behind this stage ever waits: the plan sets Interval so that no stage still needs what it holds.
module tw_window #(
    parameter History  = 10,
    parameter RowWidth = 60,
    parameter Lead     = 1,
    parameter Pace     = 1,
    parameter Interval = 16,
    parameter Places   = 2,
    parameter Begin    = 0
) (
    input  wire                        clk,
    input  wire                        rst_n,
    input  wire                        in_valid,
    output wire                        in_ready,
    input  wire [History*RowWidth-1:0] in_data,
    input  wire                        taken,
    output wire                        out_valid,
    output wire [        RowWidth-1:0] out_data
);

  localparam Rows = History + Lead;
  localparam RowsWidth = $clog2(Rows + 1);
  localparam PaceWidth = $clog2(Pace + 1);
  localparam GapWidth = $clog2(Interval + 1);
  localparam PlacesWidth = $clog2(Places + 1);
  localparam [31:0] AllRowsWide = Rows;
  localparam [RowsWidth-1:0] AllRows = AllRowsWide[RowsWidth-1:0];
  localparam [RowsWidth-1:0] OneRow = 1;
  localparam [31:0] PaceReloadWide = Pace - 1;
  localparam [PaceWidth-1:0] PaceReload = PaceReloadWide[PaceWidth-1:0];
  localparam [PaceWidth-1:0] OneStep = 1;
  localparam [31:0] GapReloadWide = Interval - 1;
  localparam [GapWidth-1:0] GapReload = GapReloadWide[GapWidth-1:0];
  localparam [GapWidth-1:0] OneCycle = 1;
  localparam [31:0] AllPlacesWide = Places;
  localparam [PlacesWidth-1:0] AllPlaces = AllPlacesWide[PlacesWidth-1:0];
  localparam [PlacesWidth-1:0] OnePlace = 1;

  reg [Rows*RowWidth-1:0] rows;
  reg [RowsWidth-1:0] rows_left;
  reg [PaceWidth-1:0] pause;
  reg [GapWidth-1:0] gap;
  reg [PlacesWidth-1:0] places;

  wire [Rows*RowWidth-1:0] loaded;
  wire [(Rows+1)*RowWidth-1:0] shifted = {{RowWidth{1'b0}}, rows};
  wire [RowWidth-1:0] unused_oldest = shifted[RowWidth-1:0];
  wire accept = in_valid && in_ready;

  generate
    if (Lead != 0) begin : g_lead
      assign loaded = {in_data, {RowWidth{1'b0}}};
    end else begin : g_plain
      assign loaded = in_data;
    end
  endgenerate

  // Not ready in reset, so that nothing offered then is lost.
  assign in_ready  = rst_n && (gap == {GapWidth{1'b0}}) && (places != {PlacesWidth{1'b0}});
  assign out_valid = (rows_left != {RowsWidth{1'b0}}) && (pause == {PaceWidth{1'b0}});
  assign out_data  = rows[RowWidth-1:0];

  always @(posedge clk) begin
    if (accept) rows <= loaded;
    else if (out_valid) rows <= shifted[(Rows+1)*RowWidth-1:RowWidth];
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      rows_left <= {RowsWidth{1'b0}};
      pause     <= {PaceWidth{1'b0}};
      gap       <= (Begin != 0) ? GapReload : {GapWidth{1'b0}};
      places    <= AllPlaces;
    end else begin
      if (accept) begin
        rows_left <= AllRows;
        pause     <= {PaceWidth{1'b0}};
        gap       <= GapReload;
      end else begin
        if (out_valid) begin
          rows_left <= rows_left - OneRow;
          pause     <= PaceReload;
        end else if (pause != {PaceWidth{1'b0}}) begin
          pause <= pause - OneStep;
        end
        if (gap != {GapWidth{1'b0}}) gap <= gap - OneCycle;
      end
      if (accept && !taken) places <= places - OnePlace;
      else if (taken && !accept) places <= places + OnePlace;
    end
  end

endmodule
