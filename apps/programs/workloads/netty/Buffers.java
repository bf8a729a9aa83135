// Messages of 1 KB to 4 MB pass through direct buffers, pooled and not, as in a proxy: malloc serves the latter.
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.Random;

public final class Buffers {
  public static void main(String[] arguments) {
    long sum = 0;
    for (ByteBufAllocator allocator :
        new ByteBufAllocator[] {new UnpooledByteBufAllocator(true), new PooledByteBufAllocator(true)}) {
      Random random = new Random(29);
      Queue<ByteBuf> underWay = new ArrayDeque<>();
      for (int i = 0; i < 6_000; i++) {
        int bytes = random.nextInt(20) == 0 ? 1 << (20 + random.nextInt(3)) : 1_000 + random.nextInt(100_000);
        ByteBuf message = allocator.directBuffer(bytes);
        while (message.writerIndex() + 64 <= bytes) {
          message.writeLong(i).writerIndex(message.writerIndex() + 56);
        }
        underWay.add(message);
        if (underWay.size() > 60) {
          ByteBuf oldest = underWay.remove();
          ByteBuf reply = allocator.directBuffer(oldest.readableBytes() / 2);
          reply.writeBytes(oldest, 0, reply.capacity());
          sum = sum * 31 + reply.getLong(0) + reply.readableBytes();
          reply.release();
          oldest.release();
        }
      }
      underWay.forEach(ByteBuf::release);
    }
    System.out.println(sum);
  }
}
