// The tile behind a pipe, for minirram.conformance: numbers come on stdin, answers go to stdout. See device.py.
//     m ROWS PAIRS INPUT_BITS POLARITY TOP NUMERATOR SHIFT, then G+ and G- of each cell: a matrix of any size
//     x CODE..: one code per row; the answer is one line, the sums and the count of saturated conversions
module pipe_tb;
    parameter ROWS = 8, PAIRS = 4;             // of the tile
    parameter MAX_ROWS = 64, MAX_PAIRS = 32;   // of a matrix
    localparam STDIN = 32'h8000_0000;

    reg [23:0] plus  [0:MAX_ROWS*MAX_PAIRS-1];
    reg [23:0] minus [0:MAX_ROWS*MAX_PAIRS-1];
    reg [7:0]  codes [0:MAX_ROWS-1];
    reg signed [63:0] total [0:MAX_PAIRS-1];

    reg clk = 0, start = 0, first = 0;
    integer rows, pairs, input_bits, polarity;
    reg [63:0] top, numerator;
    reg [7:0]  shift;
    wire busy;
    tile #(ROWS, PAIRS) dut (clk, start, first, input_bits[3:0], polarity[0], numerator, shift, top, busy);
    always #1 clk = ~clk;

    integer got, row0, pair0, i, j;
    reg [63:0] saturated;
    reg [7:0]  command;
    initial begin
        got = $fscanf(STDIN, " %c", command);
        while (got == 1) begin
            if (command == "m") begin
                got = $fscanf(STDIN, "%d %d %d %d %d %d %d", rows, pairs, input_bits, polarity, top, numerator, shift);
                for (i = 0; i < rows*pairs; i = i + 1) got = $fscanf(STDIN, "%d %d", plus[i], minus[i]);
            end else begin
                for (i = 0; i < rows; i = i + 1) got = $fscanf(STDIN, "%d", codes[i]);
                multiply;
            end
            got = $fscanf(STDIN, " %c", command);
        end
        $finish;
    end

    // Column tiles one after the other; the row tiles of each add up in the tile itself.
    task multiply;
        begin
            saturated = 0;
            for (pair0 = 0; pair0 < pairs; pair0 = pair0 + PAIRS) begin
                for (row0 = 0; row0 < rows; row0 = row0 + ROWS) begin
                    load;
                    first = row0 == 0;
                    @(negedge clk) start = 1;
                    @(negedge clk) start = 0;
                    while (busy) @(negedge clk);
                end
                saturated = saturated + dut.saturated;
                for (j = 0; j < PAIRS && pair0 + j < pairs; j = j + 1) $write("%0d ", dut.sum[j]);
            end
            $display("%0d", saturated);
            $fflush;
        end
    endtask

    task load;
        begin
            for (i = 0; i < ROWS; i = i + 1) begin
                dut.codes[i] = row0 + i < rows ? codes[row0+i] : 0;
                for (j = 0; j < PAIRS; j = j + 1) begin
                    dut.plus[i*PAIRS+j] = 0;
                    dut.minus[i*PAIRS+j] = 0;
                    if (row0 + i < rows && pair0 + j < pairs) begin
                        dut.plus[i*PAIRS+j] = plus[(row0+i)*pairs+pair0+j];
                        dut.minus[i*PAIRS+j] = minus[(row0+i)*pairs+pair0+j];
                    end
                end
            end
        end
    endtask
endmodule
