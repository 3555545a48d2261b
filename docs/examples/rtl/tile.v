// A crossbar tile with bit-serial inputs: a clock drives the rows with one bit plane, converts every column, and adds
// 2^b times the codes. The array and the converters are models of analog parts; the rest is logic.

// Mid-tread converter: code = clip(rint(I / LSB), -top, top), ties to even, LSB = numerator / 2^shift grid units.
module adc (
    input  signed [63:0] current,
    input         [63:0] numerator,
    input         [7:0]  shift,
    input         [63:0] top,
    output signed [63:0] code,
    output               saturated
);
    wire        negative  = current[63];
    wire [63:0] scaled    = (negative ? -current : current) << shift;
    wire [63:0] quotient  = scaled / numerator;
    wire [63:0] remainder = scaled % numerator;
    wire [64:0] twice     = {remainder, 1'b0};
    wire        up        = twice > numerator || (twice == numerator && quotient[0]);
    wire [63:0] magnitude = quotient + up;
    wire [63:0] limited   = saturated ? top : magnitude;
    assign saturated = magnitude > top;
    assign code = negative ? -limited : limited;
endmodule

module tile #(
    parameter ROWS  = 64,
    parameter PAIRS = 16
) (
    input             clk,
    input             start,      // take the codes and begin with plane 0
    input             first,      // with start: the sums begin at zero; else they go on, for the next row tile
    input      [3:0]  input_bits,
    input             polarity,   // 0: one conversion of I+ - I-, 1: one each, subtracted
    input      [63:0] numerator,
    input      [7:0]  shift,
    input      [63:0] top,
    output reg        busy
);
    // Set from outside before a start: the cells in grid units, and the codes.
    reg [23:0] plus  [0:ROWS*PAIRS-1];
    reg [23:0] minus [0:ROWS*PAIRS-1];
    reg [7:0]  codes [0:ROWS-1];

    // Read from outside when no longer busy.
    reg signed [63:0] sum [0:PAIRS-1];
    reg        [63:0] saturated;

    reg [7:0]         held  [0:ROWS-1];  // shift registers of the inputs, the lowest bit first
    reg [3:0]         plane;
    reg signed [63:0] current_p [0:PAIRS-1];
    reg signed [63:0] current_m [0:PAIRS-1];
    wire signed [63:0] code_p [0:PAIRS-1];
    wire signed [63:0] code_m [0:PAIRS-1];
    wire [PAIRS-1:0]   over_p, over_m;

    genvar g;
    generate
        for (g = 0; g < PAIRS; g = g + 1) begin : column
            adc p (current_p[g], numerator, shift, top, code_p[g], over_p[g]);
            adc m (current_m[g], numerator, shift, top, code_m[g], over_m[g]);
        end
    endgenerate

    initial busy = 0;

    integer i, j;
    always @(posedge clk) begin
        if (start) begin
            busy <= 1;
            plane <= 0;
            for (i = 0; i < ROWS; i = i + 1) held[i] <= codes[i];
            if (first) begin
                saturated <= 0;
                for (j = 0; j < PAIRS; j = j + 1) sum[j] <= 0;
            end
        end else if (busy) begin
            for (j = 0; j < PAIRS; j = j + 1) begin
                sum[j] <= sum[j] + ((code_p[j] - code_m[j]) <<< plane);
            end
            saturated <= saturated + count(over_p) + count(over_m);
            for (i = 0; i < ROWS; i = i + 1) held[i] <= held[i] >> 1;
            plane <= plane + 1;
            if (plane + 1 == input_bits) busy <= 0;
        end
    end

    // The array: rows with a set bit are driven, each column sums the conductances of its driven rows.
    integer r, c;
    always @(negedge clk) begin
        for (c = 0; c < PAIRS; c = c + 1) begin
            current_p[c] = 0;
            current_m[c] = 0;
            for (r = 0; r < ROWS; r = r + 1) begin
                if (held[r][0]) begin
                    current_p[c] = current_p[c] + plus[r*PAIRS+c];
                    current_m[c] = current_m[c] + minus[r*PAIRS+c];
                end
            end
            if (!polarity) begin
                current_p[c] = current_p[c] - current_m[c];
                current_m[c] = 0;
            end
        end
    end

    function [63:0] count(input [PAIRS-1:0] flags);
        integer k;
        begin
            count = 0;
            for (k = 0; k < PAIRS; k = k + 1) count = count + flags[k];
        end
    endfunction
endmodule
