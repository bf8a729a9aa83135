package upa.policy;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Names a policy. Without it a class cannot be chosen. */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
public @interface PolicyInfo {

    /** {@return the name by which it is chosen: lower-case letters, digits and hyphens} */
    String name();

    /** {@return what it does, in one line} */
    String summary();

    /**
     * {@return its options, as {@code key=default}, each with a word on what it means; shown by {@code upa policy
     * list}}
     */
    String[] options() default {};

    /** {@return {@link MemoryPolicy#API} of the package that it was compiled with} */
    int api();
}
