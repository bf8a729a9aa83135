/**
 * The policies that come with UPA: {@code upa policy list} names them. Each is a model for one of your own.
 *
 * <p>Complete ones choose victims: {@code fifo}, {@code clock}, {@code 2q}, {@code s3-fifo}, {@code sieve},
 * {@code rules}. Aids prefetch, promote, place or bound beside one of these.
 */
package upa.pager.policies;
