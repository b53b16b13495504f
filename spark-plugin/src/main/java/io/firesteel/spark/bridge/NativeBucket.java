package io.firesteel.spark.bridge;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * One window block over buckets of keys, one bucket after the other: {@link #begin} says which keys' bytes are needed,
 * {@link #run} takes them and gives rows and what to keep.
 *
 * <p>One thread works with it; {@link #cancel} and {@link #close} may come from any other.
 */
public final class NativeBucket implements Cancellable {
  private final NativeHandle handle;

  /** What a bucket gave. {@code kept} has an element for each key, null where nothing is to be kept; {@code held} is null if no row waits. */
  public record Run(boolean clean, byte[] book, byte[] held, List<byte[]> kept) {}

  /** Packed rows for a bucket. */
  public record Piece(int bucket, byte[] rows) {}

  /**
   * @param call the prepared call of a block
   * @param byTime whether rows come as a history, in the order of their time, and not as they arrive
   */
  public NativeBucket(String call, int buckets, boolean byTime) {
    NativeLibrary.load();
    long number = NativeBucketCalls.open(call, buckets, byTime);
    handle = new NativeHandle(number, "NativeBucket", NativeBucketCalls::cancel);
  }

  /** See {@link NativeBucketCalls#prepareParts}. */
  public static String prepare(
      String yaml, String file, String[] found, boolean typed, int buckets, boolean stream) {
    NativeLibrary.load();
    return NativeBucketCalls.prepareParts(yaml, file, found, typed, buckets, stream);
  }

  /** Takes packed rows for the bucket that is begun next. */
  public void add(byte[] piece) {
    handle.use(
        open -> {
          NativeBucketCalls.add(open, piece);
          return null;
        });
  }

  /** Begins with a bucket; {@code book} and {@code held} are null if there are none. Gives the keys whose bytes are needed. */
  public List<byte[]> begin(int number, byte[] book, byte[] held) {
    byte[] keys = handle.use(open -> NativeBucketCalls.begin(open, number, orEmpty(book), orEmpty(held)));
    return split(ByteBuffer.wrap(keys));
  }

  private static byte[] orEmpty(byte[] bytes) {
    return bytes == null ? new byte[0] : bytes;
  }

  /** Works on the rows; {@code kept} has the bytes of each key, null where there are none. */
  public Run run(List<byte[]> kept) {
    ByteBuffer result = ByteBuffer.wrap(handle.use(open -> NativeBucketCalls.run(open, joined(kept))));
    boolean clean = result.get() != 0;
    byte[] book = next(result);
    byte[] held = next(result);
    return new Run(clean, book, held, split(result));
  }

  /** The next rows that the bucket gave; null at the end. */
  public Piece next() {
    ByteBuffer piece = ByteBuffer.wrap(handle.use(NativeBucketCalls::next));
    if (!piece.hasRemaining()) {
      return null;
    }
    int bucket = piece.getInt();
    byte[] rows = new byte[piece.remaining()];
    piece.get(rows);
    return new Piece(bucket, rows);
  }

  /** Whether each of some keys is over, by the bucket that was run last. */
  public boolean[] over(List<byte[]> kept) {
    boolean[] over = new boolean[kept.size()];
    return handle.use(
        open -> {
          NativeBucketCalls.over(open, joined(kept), over);
          return over;
        });
  }

  /** The pieces in the bytes of a packed column. */
  public static List<Piece> pieces(byte[] packed) {
    ByteBuffer from = ByteBuffer.wrap(packed);
    List<Piece> pieces = new ArrayList<>();
    while (from.hasRemaining()) {
      int bucket = from.getInt();
      pieces.add(new Piece(bucket, next(from)));
    }
    return pieces;
  }

  private static List<byte[]> split(ByteBuffer from) {
    List<byte[]> found = new ArrayList<>();
    while (from.hasRemaining()) {
      found.add(next(from));
    }
    return found;
  }

  private static byte[] next(ByteBuffer from) {
    int length = from.getInt();
    if (length < 0) {
      return null;
    }
    byte[] bytes = new byte[length];
    from.get(bytes);
    return bytes;
  }

  private static byte[] joined(List<byte[]> parts) {
    long size = 4L * parts.size();
    for (byte[] part : parts) {
      size += part == null ? 0 : part.length;
    }
    if (size > Integer.MAX_VALUE - 16) {
      throw new FiresteelException(
          "BUCKET_TOO_LARGE: a bucket of keys has "
              + size
              + " bytes in one micro-batch. Read fewer records per micro-batch (maxOffsetsPerTrigger), or set"
              + " spark.firesteel.windows.buckets higher for a new checkpoint");
    }
    ByteBuffer to = ByteBuffer.allocate((int) size);
    for (byte[] part : parts) {
      if (part == null) {
        to.putInt(-1);
      } else {
        to.putInt(part.length).put(part);
      }
    }
    return to.array();
  }

  @Override
  public void cancel() {
    handle.cancel();
  }

  @Override
  public void close() {
    handle.close(NativeBucketCalls::close);
  }
}
