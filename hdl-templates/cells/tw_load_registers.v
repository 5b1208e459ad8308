// Control and status registers of the table load, on AXI4-Lite.
//
// Contract: 32-bit registers at byte addresses; the register map is in the build's REGISTERS.md. One transfer at a time in each
// direction. A write to what is not written, a read of what does not exist and a command that cannot be done are answered with
// SLVERR and change nothing. Counters stay at their greatest value. `want` asks for the change to the set loaded: by the command,
// or by an image that says so when it is accepted. `errors` has two bits for each memory, the lower one for a word put right and the
// upper one for a word left wrong; they count only while a table set is active.
module tw_load_registers #(
    parameter [63:0] Shape    = 64'h0,
    parameter [ 1:0] Kind     = 2'd0,
    parameter        Memories = 2
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire                s_axil_awvalid,
    output wire                s_axil_awready,
    input  wire [         7:0] s_axil_awaddr,
    input  wire                s_axil_wvalid,
    output wire                s_axil_wready,
    input  wire [        31:0] s_axil_wdata,
    input  wire [         3:0] s_axil_wstrb,
    output reg                 s_axil_bvalid,
    input  wire                s_axil_bready,
    output reg  [         1:0] s_axil_bresp,
    input  wire                s_axil_arvalid,
    output wire                s_axil_arready,
    input  wire [         7:0] s_axil_araddr,
    output reg                 s_axil_rvalid,
    input  wire                s_axil_rready,
    output reg  [        31:0] s_axil_rdata,
    output reg  [         1:0] s_axil_rresp,
    input  wire                loading,
    input  wire                loaded,
    input  wire                activate,
    input  wire [        31:0] set_version,
    input  wire [         2:0] error,
    input  wire                accepted,
    input  wire                refused,
    input  wire [        31:0] words_in,
    input  wire                busy,
    input  wire                swapped,
    input  wire                valid,
    output wire                want,
    input  wire [2*Memories-1:0] errors
);

  localparam [5:0] Id = 6'd0, ShapeLow = 6'd1, ShapeHigh = 6'd2, Status = 6'd3, Control = 6'd4, ActiveVersion = 6'd5,
                   LoadedVersion = 6'd6, Progress = 6'd7, Accepted = 6'd8, Refused = 6'd9, Swapped = 6'd10, Corrected = 6'd11,
                   Uncorrected = 6'd12;
  localparam [31:0] IdValue = 32'h54574C31;
  localparam [1:0] Okay = 2'b00, SlvErr = 2'b10;
  localparam CountWidth = $clog2(Memories + 1);
  localparam [CountWidth-1:0] One = 1;

  reg [31:0] active_version, accepted_count, refused_count, swapped_count, corrected_count, uncorrected_count;

  function [31:0] plus;
    input [31:0] count;
    input [31:0] more;
    reg [32:0] sum;
    begin
      sum = {1'b0, count} + {1'b0, more};
      plus = sum[32] ? 32'hFFFFFFFF : sum[31:0];
    end
  endfunction

  reg [CountWidth-1:0] corrected_sum, uncorrected_sum, corrected_now, uncorrected_now;
  integer m;
  always @* begin
    corrected_sum = {CountWidth{1'b0}};
    uncorrected_sum = {CountWidth{1'b0}};
    for (m = 0; m < Memories; m = m + 1) begin
      if (errors[2*m]) corrected_sum = corrected_sum + One;
      if (errors[2*m+1]) uncorrected_sum = uncorrected_sum + One;
    end
  end
  always @(posedge clk) begin
    corrected_now <= (rst_n && valid) ? corrected_sum : {CountWidth{1'b0}};
    uncorrected_now <= (rst_n && valid) ? uncorrected_sum : {CountWidth{1'b0}};
  end

  wire [31:0] accepted_next = plus(accepted_count, {31'd0, accepted});
  wire [31:0] refused_next = plus(refused_count, {31'd0, refused});
  wire [31:0] swapped_next = plus(swapped_count, {31'd0, swapped});
  wire [31:0] corrected_next = plus(corrected_count, {{32 - CountWidth{1'b0}}, corrected_now});
  wire [31:0] uncorrected_next = plus(uncorrected_count, {{32 - CountWidth{1'b0}}, uncorrected_now});

  // Address and data of a write are taken together.
  wire write = s_axil_awvalid && s_axil_wvalid && (!s_axil_bvalid || s_axil_bready);
  wire command = write && (s_axil_awaddr[7:2] == Control) && s_axil_wstrb[0];
  wire do_swap = command && s_axil_wdata[0];
  wire do_clear = command && s_axil_wdata[1];
  wire swap_fails = s_axil_wdata[0] && (!loaded || busy);
  wire write_fails = (s_axil_awaddr[7:2] != Control) || !s_axil_wstrb[0] || swap_fails;
  wire unused_bits = &{1'b0, s_axil_wdata[31:2], s_axil_wstrb[3:1], s_axil_awaddr[1:0], s_axil_araddr[1:0]};

  assign s_axil_awready = rst_n && write;
  assign s_axil_wready = rst_n && write;
  assign want = (do_swap && !swap_fails) || (accepted && activate);

  wire read = s_axil_arvalid && s_axil_arready;
  assign s_axil_arready = rst_n && (!s_axil_rvalid || s_axil_rready);

  reg [31:0] found;
  reg exists;
  always @* begin
    exists = 1'b1;
    case (s_axil_araddr[7:2])
      Id: found = IdValue;
      ShapeLow: found = Shape[31:0];
      ShapeHigh: found = Shape[63:32];
      Status: found = {22'd0, Kind, 1'b0, error, busy, loaded, loading, valid};
      ActiveVersion: found = active_version;
      LoadedVersion: found = set_version;
      Progress: found = words_in;
      Accepted: found = accepted_count;
      Refused: found = refused_count;
      Swapped: found = swapped_count;
      Corrected: found = corrected_count;
      Uncorrected: found = uncorrected_count;
      default: begin
        found = 32'd0;
        exists = 1'b0;
      end
    endcase
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      s_axil_bvalid <= 1'b0;
      s_axil_rvalid <= 1'b0;
    end else begin
      if (write) s_axil_bvalid <= 1'b1;
      else if (s_axil_bready) s_axil_bvalid <= 1'b0;
      if (read) s_axil_rvalid <= 1'b1;
      else if (s_axil_rready) s_axil_rvalid <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (write) s_axil_bresp <= write_fails ? SlvErr : Okay;
    if (read) begin
      s_axil_rdata <= found;
      s_axil_rresp <= exists ? Okay : SlvErr;
    end
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      active_version    <= 32'd0;
      accepted_count    <= 32'd0;
      refused_count     <= 32'd0;
      swapped_count     <= 32'd0;
      corrected_count   <= 32'd0;
      uncorrected_count <= 32'd0;
    end else begin
      if (swapped) active_version <= set_version;
      accepted_count <= accepted_next;
      refused_count <= refused_next;
      swapped_count <= swapped_next;
      corrected_count <= corrected_next;
      uncorrected_count <= uncorrected_next;
      if (do_clear && !write_fails) begin
        accepted_count    <= 32'd0;
        refused_count     <= 32'd0;
        swapped_count     <= 32'd0;
        corrected_count   <= 32'd0;
        uncorrected_count <= 32'd0;
      end
    end
  end

endmodule
