package upa.measure;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class CsvTest {

    private record Row(String name, long sizeBytes, double p50Ns, boolean ok) {}

    @Test
    void columnsAreNamedAfterComponents() {
        assertEquals("name,size_bytes,p50_ns,ok\n", Csv.format(Row.class, List.of()));
    }

    @Test
    void numbersAreTheSameInEveryLanguage() {
        assertEquals(
                "name,size_bytes,p50_ns,ok\na b,4096,1234.500,true\n",
                Csv.format(Row.class, List.of(new Row("a b", 4096, 1234.5, true))));
    }

    @Test
    void whatWouldEndAFieldIsQuoted() {
        List<Row> rows = List.of(new Row("a,b", 1, 0, false), new Row("say \"x\"\nthen", 2, 0, false));
        assertEquals(
                "name,size_bytes,p50_ns,ok\n\"a,b\",1,0.000,false\n\"say \"\"x\"\"\nthen\",2,0.000,false\n",
                Csv.format(Row.class, rows));
    }
}
