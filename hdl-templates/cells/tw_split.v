// A row in parts, one after the other.
//
// Contract: of a row of Parts parts of Width bits, part p leaves p * Step cycles after the row came, the lowest part first. The
// next row comes no earlier than Parts * Step cycles later.
module tw_split #(
    parameter Parts = 3,
    parameter Width = 8,
    parameter Step  = 1
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   in_valid,
    input  wire [Parts*Width-1:0] in_data,
    output wire                   out_valid,
    output wire [      Width-1:0] out_data
);

  localparam LeftWidth = (Parts > 1) ? $clog2(Parts) : 1;
  localparam PauseWidth = (Step > 1) ? $clog2(Step) : 1;
  localparam [31:0] LaterPartsWide = Parts - 1;
  localparam [LeftWidth-1:0] LaterParts = LaterPartsWide[LeftWidth-1:0];
  localparam [LeftWidth-1:0] OnePart = 1;
  localparam [31:0] PauseReloadWide = Step - 1;
  localparam [PauseWidth-1:0] PauseReload = PauseReloadWide[PauseWidth-1:0];
  localparam [PauseWidth-1:0] OneCycle = 1;

  reg [Parts*Width-1:0] later;
  reg [LeftWidth-1:0] left;
  reg [PauseWidth-1:0] pause;
  wire later_valid = (left != {LeftWidth{1'b0}}) && (pause == {PauseWidth{1'b0}});

  assign out_valid = in_valid || later_valid;
  assign out_data  = in_valid ? in_data[Width-1:0] : later[Width-1:0];

  always @(posedge clk) begin
    if (in_valid) later <= in_data >> Width;
    else if (later_valid) later <= later >> Width;
  end

  always @(posedge clk) begin
    if (!rst_n) begin
      left  <= {LeftWidth{1'b0}};
      pause <= {PauseWidth{1'b0}};
    end else if (in_valid) begin
      left  <= LaterParts;
      pause <= PauseReload;
    end else if (later_valid) begin
      left  <= left - OnePart;
      pause <= PauseReload;
    end else if (pause != {PauseWidth{1'b0}}) begin
      pause <= pause - OneCycle;
    end
  end

endmodule
