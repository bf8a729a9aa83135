// An in-memory index that is filled and partly replaced: young objects, byte arrays of up to 64 KiB, and a heap that
// grows and shrinks.
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

public final class Objects {
  public static void main(String[] arguments) {
    Random random = new Random(11);
    long check = 0;
    for (int round = 0; round < 20; round++) {
      Map<String, List<byte[]>> index = new HashMap<>();
      for (int i = 0; i < 60_000; i++) {
        List<byte[]> list = index.computeIfAbsent("k" + random.nextInt(2_000), key -> new ArrayList<>());
        list.add(new byte[random.nextInt(100) == 0 ? random.nextInt(65_536) : random.nextInt(512)]);
        if (list.size() > 40) {
          list.subList(0, 20).clear();
        }
      }
      for (List<byte[]> list : index.values()) {
        for (byte[] bytes : list) {
          check = check * 31 + bytes.length;
        }
      }
    }
    System.out.println(check);
  }
}
