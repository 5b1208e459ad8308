// Takes a table image in and hands its words to the memories they are for.
//
// Contract: an image is a packet of 32-bit words on s_axis, tlast on the last one:
//   0  4D495754 (hexadecimal)
//   1  bits 15:0 version of the image format, 1; bit 16: make the image active as soon as it is accepted
//   2  shape of the hardware the image is for, lower half; 3 upper half
//   4  version of the table set: the user's number
//   5  number of words between here and the last one
//   then for each memory, word by word, the word's 32-bit lanes, lowest first; the last one is filled up at its top
//   last  CRC-32 of all words before, each as four bytes, lowest first (polynomial 04C11DB7, reflected, all ones before and after)
// There are at least 2 memories. Sizes has for each memory, number 0 lowest, in bits 19:0 its last word and in bits 31:20 its last lane. `load` is the load bus:
// bit 83 write, 82:71 memory, 70:51 word, 50:39 lane, 38:32 check bits, 31:0 data; it is a cycle behind s_axis. Of the check bits 38
// makes the number of ones even, of data and check bits; with Kind 2 (SECDED) the others are those of a Hamming code (tw_guard),
// with Kind 1 (parity) zero; with Kind 0 there are none. The memories are told to write
// while the image is not known to be good, into the halves that nobody reads.
//
// When the last word is in and right, `loaded` goes to 1 and stays until `swapped`, or until another image begins, which
// takes the place of this one. Anything else is refused: `error` says why (1 first word, 2 image format, 3 shape, 4 length, 5 CRC,
// 6 ended early, 7 goes on behind its end) until another image begins, and the rest of the packet is swallowed. While `busy` is 1
// no word is taken.
module tw_loader #(
    parameter [63:0] Shape  = 64'h0,
    parameter        Kind   = 2,
    parameter        Memories = 2,
    parameter [31:0] Words  = 5,
    parameter [Memories*32-1:0] Sizes = 64'h00100001_00000000
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        s_axis_tvalid,
    output wire        s_axis_tready,
    input  wire [31:0] s_axis_tdata,
    input  wire        s_axis_tlast,
    input  wire        busy,
    input  wire        swapped,
    output reg  [83:0] load,
    output wire        loading,
    output reg         loaded,
    output reg         activate,
    output reg  [31:0] set_version,
    output reg  [ 2:0] error,
    output reg         accepted,
    output reg         refused,
    output reg  [31:0] words_in
);

  localparam [31:0] Magic = 32'h4D495754;
  localparam [15:0] Format = 16'd1;
  localparam MemoryWidth = $clog2(Memories);
  localparam [31:0] LastMemoryWide = Memories - 1;
  localparam [MemoryWidth-1:0] LastMemory = LastMemoryWide[MemoryWidth-1:0];
  localparam [MemoryWidth-1:0] NextMemory = 1;
  localparam [2:0] None = 3'd0, BadMagic = 3'd1, BadFormat = 3'd2, BadShape = 3'd3, BadLength = 3'd4, BadCrc = 3'd5,
                   Early = 3'd6, Late = 3'd7;

  // The header, the memories' words, the CRC, and what comes behind something wrong.
  localparam [1:0] Header = 2'd0, Payload = 2'd1, Check = 2'd2, Swallow = 2'd3;
  reg [1:0] state;
  reg [2:0] field;
  reg [MemoryWidth-1:0] memory;
  reg [19:0] word;
  reg [11:0] lane;
  reg [31:0] crc;

  // One word into the CRC, lowest bit first.
  function [31:0] crc_after;
    input [31:0] so_far;
    input [31:0] data;
    integer i;
    begin
      crc_after = so_far;
      for (i = 0; i < 32; i = i + 1)
        crc_after = (crc_after[0] ^ data[i]) ? ({1'b0, crc_after[31:1]} ^ 32'hEDB88320) : {1'b0, crc_after[31:1]};
    end
  endfunction

  wire take = s_axis_tvalid && s_axis_tready;
  wire first = (state == Header) && (field == 3'd0);
  wire [31:0] next_crc = crc_after(first ? 32'hFFFFFFFF : crc, s_axis_tdata);
  wire [31:0] size = Sizes[{memory, 5'd0}+:32];
  wire last_lane = lane == size[31:20];
  wire last_word = last_lane && (word == size[19:0]);
  wire last_payload = last_word && (memory == LastMemory);

  // What is wrong with the word at hand, if anything.
  reg [2:0] wrong;
  always @* begin
    wrong = None;
    case (state)
      Header: begin
        case (field)
          3'd0: if (s_axis_tdata != Magic) wrong = BadMagic;
          3'd1: if (s_axis_tdata[15:0] != Format || s_axis_tdata[31:17] != 15'd0) wrong = BadFormat;
          3'd2: if (s_axis_tdata != Shape[31:0]) wrong = BadShape;
          3'd3: if (s_axis_tdata != Shape[63:32]) wrong = BadShape;
          3'd5: if (s_axis_tdata != Words) wrong = BadLength;
          default: wrong = None;
        endcase
        if (wrong == None && s_axis_tlast) wrong = Early;
      end
      Payload: if (s_axis_tlast) wrong = Early;
      Check: begin
        if (s_axis_tdata != ~crc) wrong = BadCrc;
        else if (!s_axis_tlast) wrong = Late;
      end
      default: wrong = None;
    endcase
  end

  assign s_axis_tready = rst_n && !busy;
  assign loading = (state == Payload) || (state == Check) || ((state == Header) && !first);

  always @(posedge clk) begin
    if (!rst_n) begin
      state    <= Header;
      field    <= 3'd0;
      loaded   <= 1'b0;
      activate <= 1'b0;
      accepted <= 1'b0;
      refused  <= 1'b0;
      error    <= None;
      words_in <= 32'd0;
      set_version <= 32'd0;
    end else begin
      accepted <= 1'b0;
      refused  <= 1'b0;
      if (swapped) loaded <= 1'b0;
      if (take) begin
        words_in <= first ? 32'd1 : words_in + 32'd1;
        if (first) begin
          loaded <= 1'b0;
          error  <= None;
        end
        case (state)
          Header: begin
            field <= field + 3'd1;
            if (field == 3'd1) activate <= s_axis_tdata[16];
            if (field == 3'd4) set_version <= s_axis_tdata;
            if (field == 3'd5) begin
              state <= Payload;
              field <= 3'd0;
            end
          end
          Payload: if (last_payload) state <= Check;
          Check: begin
            state <= Header;
            if (wrong == None) begin
              loaded   <= 1'b1;
              accepted <= 1'b1;
            end
          end
          default: if (s_axis_tlast) state <= Header;
        endcase
        if (wrong != None) begin
          refused <= 1'b1;
          error   <= wrong;
          field   <= 3'd0;
          state   <= s_axis_tlast ? Header : Swallow;
        end
      end
    end
  end

  wire [6:0] checks;
  generate
    if (Kind == 2) begin : g_secded
      wire [38:0] code;
      wire unused_code = &{1'b0, code[31:0]};
      tw_guard #(
          .Bits(32),
          .Kind(2),
          .Checks(7)
      ) u_guard (
          .data(s_axis_tdata),
          .code(code)
      );
      assign checks = code[38:32];
    end else begin : g_parity
      assign checks = {(Kind == 1) && (^s_axis_tdata), 6'd0};
    end
  endgenerate

  // Where the next word of the payload goes.
  always @(posedge clk) begin
    if (take && (state == Header)) begin
      memory <= {MemoryWidth{1'b0}};
      word   <= 20'd0;
      lane   <= 12'd0;
    end else if (take && (state == Payload)) begin
      lane <= last_lane ? 12'd0 : lane + 12'd1;
      if (last_lane) word <= last_word ? 20'd0 : word + 20'd1;
      if (last_word) memory <= memory + NextMemory;
    end
    if (take) crc <= next_crc;
  end

  always @(posedge clk) begin
    load[82:0] <= {{12 - MemoryWidth{1'b0}}, memory, word, lane, checks, s_axis_tdata};
    load[83]   <= rst_n && take && (state == Payload);
  end

endmodule
