// Exact nearest prototype: one prototype a cycle, ties to the lowest index.
//
// Contract: a vector of Features signed numbers comes at most every K + 1 cycles, K = 2^CodeWidth; its code comes K + 4
// cycles later. The distance is the sum of squared (Squared = 1) or absolute differences, exact in DistanceWidth bits.
// The K prototypes lie in a memory beside this module: `prototype` is the word of the `address` of the cycle before, feature 0
// in the lowest bits. `reading` is 1 where the address means something.
module tw_nearest_encoder #(
    parameter Features      = 4,
    parameter Width         = 8,
    parameter CodeWidth     = 3,
    parameter Squared       = 1,
    parameter DistanceWidth = 18
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [Features*Width-1:0] in_data,
    output wire                      reading,
    output wire [     CodeWidth-1:0] address,
    input  wire [Features*Width-1:0] prototype,
    output reg                       out_valid,
    output reg  [     CodeWidth-1:0] code
);

  localparam TermWidth = (Squared != 0) ? 2 * Width : Width;
  localparam [CodeWidth-1:0] Last = {CodeWidth{1'b1}};
  localparam [CodeWidth-1:0] One = 1;

  reg [Features*Width-1:0] vector;
  reg running, fetched, differed, summed;
  reg [CodeWidth-1:0] count, fetched_code, differed_code, summed_code;
  reg [DistanceWidth-1:0] sum, distance, best;
  wire [Features*TermWidth-1:0] terms;

  assign reading = running;
  assign address = count;

  always @(posedge clk) begin
    if (!rst_n) begin
      running  <= 1'b0;
      fetched  <= 1'b0;
      differed <= 1'b0;
      summed   <= 1'b0;
      out_valid <= 1'b0;
    end else begin
      if (in_valid) running <= 1'b1;
      else if (count == Last) running <= 1'b0;
      fetched   <= running;
      differed  <= fetched;
      summed    <= differed;
      out_valid <= summed && (summed_code == Last);
    end
  end

  always @(posedge clk) begin
    if (in_valid) begin
      vector <= in_data;
      count  <= {CodeWidth{1'b0}};
    end else begin
      count <= count + One;
    end
    fetched_code  <= count;
    differed_code <= fetched_code;
    summed_code   <= differed_code;
  end

  genvar f;
  generate
    for (f = 0; f < Features; f = f + 1) begin : g_feature
      wire signed [Width-1:0] x = vector[f*Width+:Width];
      wire signed [Width-1:0] p = prototype[f*Width+:Width];
      wire [Width-1:0] magnitude = (x < p) ? p - x : x - p;
      reg [TermWidth-1:0] term;
      if (Squared != 0) begin : g_square
        wire [2*Width-1:0] wide = {{Width{1'b0}}, magnitude};
        always @(posedge clk) term <= wide * wide;
      end else begin : g_absolute
        always @(posedge clk) term <= magnitude;
      end
      assign terms[f*TermWidth+:TermWidth] = term;
    end
  endgenerate

  integer i;
  always @* begin
    sum = {DistanceWidth{1'b0}};
    for (i = 0; i < Features; i = i + 1) begin
      sum = sum + {{(DistanceWidth - TermWidth) {1'b0}}, terms[i*TermWidth+:TermWidth]};
    end
  end

  always @(posedge clk) begin
    distance <= sum;
    if (summed && (summed_code == {CodeWidth{1'b0}} || distance < best)) begin
      best <= distance;
      code <= summed_code;
    end
  end

endmodule
