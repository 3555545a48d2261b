// Runs the files of `minirram vectors ... --format readmemh` through the tile and compares. Prints PASSED or FAILED.
//     iverilog -g2005 -I VECTORS -o tile.vvp tile.v vectors_tb.v && (cd VECTORS && vvp ../tile.vvp)
module vectors_tb;
    `include "parameters.vh"

    reg [7:0]         codes     [0:SAMPLES*ROWS-1];
    reg [23:0]        plus      [0:ROWS*PAIRS-1];
    reg [23:0]        minus     [0:ROWS*PAIRS-1];
    reg [31:0]        tiles     [0:TILES*4-1];
    reg signed [63:0] expected  [0:SAMPLES*PAIRS-1];
    reg [31:0]        saturated [0:SAMPLES-1];

    // As large as the matrix: smaller tiles leave the other cells and codes at zero.
    reg clk = 0, start = 0;
    wire busy;
    wire [3:0]  input_bits = INPUT_BITS;
    wire [63:0] numerator = LSB_NUMERATOR, top = TOP;
    wire [7:0]  shift = LSB_SHIFT;
    tile #(ROWS, PAIRS) dut (clk, start, 1'b1, input_bits, POLARITY[0], numerator, shift, top, busy);
    always #1 clk = ~clk;

    reg signed [63:0] total [0:SAMPLES*PAIRS-1];
    reg        [63:0] found [0:SAMPLES-1];
    integer t, s, i, j, wrong;
    initial begin
        $readmemh("codes.hex", codes);
        $readmemh("plus.hex", plus);
        $readmemh("minus.hex", minus);
        $readmemh("tiles.hex", tiles);
        $readmemh("expected.hex", expected);
        $readmemh("saturated.hex", saturated);
        for (i = 0; i < SAMPLES*PAIRS; i = i + 1) total[i] = 0;
        for (s = 0; s < SAMPLES; s = s + 1) found[s] = 0;
        for (t = 0; t < TILES; t = t + 1) begin
            for (i = 0; i < ROWS*PAIRS; i = i + 1) begin
                dut.plus[i] = inside(t, i / PAIRS, i % PAIRS) ? plus[i] : 0;
                dut.minus[i] = inside(t, i / PAIRS, i % PAIRS) ? minus[i] : 0;
            end
            for (s = 0; s < SAMPLES; s = s + 1) begin
                for (i = 0; i < ROWS; i = i + 1) dut.codes[i] = codes[s*ROWS+i];
                @(negedge clk) start = 1;
                @(negedge clk) start = 0;
                while (busy) @(negedge clk);
                for (j = 0; j < PAIRS; j = j + 1) total[s*PAIRS+j] = total[s*PAIRS+j] + dut.sum[j];
                found[s] = found[s] + dut.saturated;
            end
        end
        wrong = 0;
        for (s = 0; s < SAMPLES; s = s + 1) begin
            if (found[s] !== saturated[s]) wrong = wrong + 1;
            for (j = 0; j < PAIRS; j = j + 1) if (total[s*PAIRS+j] !== expected[s*PAIRS+j]) wrong = wrong + 1;
        end
        if (wrong == 0) $display("PASSED %0d samples", SAMPLES);
        else $display("FAILED %0d words differ", wrong);
        $finish;
    end

    function inside(input integer tile, input integer row, input integer pair);
        inside = row >= tiles[4*tile] && row < tiles[4*tile] + tiles[4*tile+1]
            && pair >= tiles[4*tile+2] && pair < tiles[4*tile+2] + tiles[4*tile+3];
    endfunction
endmodule
