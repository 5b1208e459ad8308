// A first-in first-out queue of Depth words.
//
// Contract: `in_valid` is never raised when Depth words are inside (the window stage admits no more than Depth windows).
// A word is at the output in the cycle after it was written. `taken` pulses when the consumer takes a word. In reset nothing
// is offered.
module tw_fifo #(
    parameter Width = 8,
    parameter Depth = 2
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             in_valid,
    input  wire [Width-1:0] in_data,
    output wire             out_valid,
    input  wire             out_ready,
    output wire [Width-1:0] out_data,
    output wire             taken
);

  localparam IndexWidth = (Depth > 1) ? $clog2(Depth) : 1;
  localparam CountWidth = $clog2(Depth + 1);
  localparam [31:0] LastWide = Depth - 1;
  localparam [IndexWidth-1:0] Last = LastWide[IndexWidth-1:0];
  localparam [IndexWidth-1:0] Next = 1;
  localparam [CountWidth-1:0] One = 1;

  reg [Width-1:0] mem[0:Depth-1];
  reg [IndexWidth-1:0] write_index;
  reg [IndexWidth-1:0] read_index;
  reg [CountWidth-1:0] count;

  assign out_valid = rst_n && (count != {CountWidth{1'b0}});
  assign out_data  = mem[read_index];
  assign taken     = out_valid && out_ready;

  always @(posedge clk) begin
    if (in_valid) mem[write_index] <= in_data;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      write_index <= {IndexWidth{1'b0}};
      read_index  <= {IndexWidth{1'b0}};
      count       <= {CountWidth{1'b0}};
    end else begin
      if (in_valid) write_index <= (write_index == Last) ? {IndexWidth{1'b0}} : write_index + Next;
      if (taken) read_index <= (read_index == Last) ? {IndexWidth{1'b0}} : read_index + Next;
      if (in_valid && !taken) count <= count + One;
      else if (taken && !in_valid) count <= count - One;
    end
  end

endmodule
