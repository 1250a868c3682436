/* GORT_EACH_(m, T, field, ...): m(T, field, index) for each of 0 to 64 fields, separated by
 * nothing. GORT_COUNT_(T, field, ...): how many fields there are.
 *
 * Written out, because the preprocessor has no loop; the index counts down to 1.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef GORT_EACH_H
#define GORT_EACH_H

#include <gort/base.h>

/* The first of at least two arguments. */
#define GORT_FIRST_(first, ...) first

#define GORT_COUNT_(...)                                                                           \
    GORT_COUNT_AT_(__VA_ARGS__, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49,    \
                   48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, \
                   28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9,  \
                   8, 7, 6, 5, 4, 3, 2, 1, 0, 0)
#define GORT_COUNT_AT_(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, p16,  \
                       p17, p18, p19, p20, p21, p22, p23, p24, p25, p26, p27, p28, p29, p30, p31,  \
                       p32, p33, p34, p35, p36, p37, p38, p39, p40, p41, p42, p43, p44, p45, p46,  \
                       p47, p48, p49, p50, p51, p52, p53, p54, p55, p56, p57, p58, p59, p60, p61,  \
                       p62, p63, p64, count, ...)                                                  \
    count

#define GORT_EACH_(m, ...) GORT_CAT_(GORT_EACH_, GORT_COUNT_(__VA_ARGS__))(m, __VA_ARGS__)
#define GORT_EACH_0(m, T)
#define GORT_EACH_1(m, T, f) m(T, f, 1)
#define GORT_EACH_2(m, T, f, ...) m(T, f, 2) GORT_EACH_1(m, T, __VA_ARGS__)
#define GORT_EACH_3(m, T, f, ...) m(T, f, 3) GORT_EACH_2(m, T, __VA_ARGS__)
#define GORT_EACH_4(m, T, f, ...) m(T, f, 4) GORT_EACH_3(m, T, __VA_ARGS__)
#define GORT_EACH_5(m, T, f, ...) m(T, f, 5) GORT_EACH_4(m, T, __VA_ARGS__)
#define GORT_EACH_6(m, T, f, ...) m(T, f, 6) GORT_EACH_5(m, T, __VA_ARGS__)
#define GORT_EACH_7(m, T, f, ...) m(T, f, 7) GORT_EACH_6(m, T, __VA_ARGS__)
#define GORT_EACH_8(m, T, f, ...) m(T, f, 8) GORT_EACH_7(m, T, __VA_ARGS__)
#define GORT_EACH_9(m, T, f, ...) m(T, f, 9) GORT_EACH_8(m, T, __VA_ARGS__)
#define GORT_EACH_10(m, T, f, ...) m(T, f, 10) GORT_EACH_9(m, T, __VA_ARGS__)
#define GORT_EACH_11(m, T, f, ...) m(T, f, 11) GORT_EACH_10(m, T, __VA_ARGS__)
#define GORT_EACH_12(m, T, f, ...) m(T, f, 12) GORT_EACH_11(m, T, __VA_ARGS__)
#define GORT_EACH_13(m, T, f, ...) m(T, f, 13) GORT_EACH_12(m, T, __VA_ARGS__)
#define GORT_EACH_14(m, T, f, ...) m(T, f, 14) GORT_EACH_13(m, T, __VA_ARGS__)
#define GORT_EACH_15(m, T, f, ...) m(T, f, 15) GORT_EACH_14(m, T, __VA_ARGS__)
#define GORT_EACH_16(m, T, f, ...) m(T, f, 16) GORT_EACH_15(m, T, __VA_ARGS__)
#define GORT_EACH_17(m, T, f, ...) m(T, f, 17) GORT_EACH_16(m, T, __VA_ARGS__)
#define GORT_EACH_18(m, T, f, ...) m(T, f, 18) GORT_EACH_17(m, T, __VA_ARGS__)
#define GORT_EACH_19(m, T, f, ...) m(T, f, 19) GORT_EACH_18(m, T, __VA_ARGS__)
#define GORT_EACH_20(m, T, f, ...) m(T, f, 20) GORT_EACH_19(m, T, __VA_ARGS__)
#define GORT_EACH_21(m, T, f, ...) m(T, f, 21) GORT_EACH_20(m, T, __VA_ARGS__)
#define GORT_EACH_22(m, T, f, ...) m(T, f, 22) GORT_EACH_21(m, T, __VA_ARGS__)
#define GORT_EACH_23(m, T, f, ...) m(T, f, 23) GORT_EACH_22(m, T, __VA_ARGS__)
#define GORT_EACH_24(m, T, f, ...) m(T, f, 24) GORT_EACH_23(m, T, __VA_ARGS__)
#define GORT_EACH_25(m, T, f, ...) m(T, f, 25) GORT_EACH_24(m, T, __VA_ARGS__)
#define GORT_EACH_26(m, T, f, ...) m(T, f, 26) GORT_EACH_25(m, T, __VA_ARGS__)
#define GORT_EACH_27(m, T, f, ...) m(T, f, 27) GORT_EACH_26(m, T, __VA_ARGS__)
#define GORT_EACH_28(m, T, f, ...) m(T, f, 28) GORT_EACH_27(m, T, __VA_ARGS__)
#define GORT_EACH_29(m, T, f, ...) m(T, f, 29) GORT_EACH_28(m, T, __VA_ARGS__)
#define GORT_EACH_30(m, T, f, ...) m(T, f, 30) GORT_EACH_29(m, T, __VA_ARGS__)
#define GORT_EACH_31(m, T, f, ...) m(T, f, 31) GORT_EACH_30(m, T, __VA_ARGS__)
#define GORT_EACH_32(m, T, f, ...) m(T, f, 32) GORT_EACH_31(m, T, __VA_ARGS__)
#define GORT_EACH_33(m, T, f, ...) m(T, f, 33) GORT_EACH_32(m, T, __VA_ARGS__)
#define GORT_EACH_34(m, T, f, ...) m(T, f, 34) GORT_EACH_33(m, T, __VA_ARGS__)
#define GORT_EACH_35(m, T, f, ...) m(T, f, 35) GORT_EACH_34(m, T, __VA_ARGS__)
#define GORT_EACH_36(m, T, f, ...) m(T, f, 36) GORT_EACH_35(m, T, __VA_ARGS__)
#define GORT_EACH_37(m, T, f, ...) m(T, f, 37) GORT_EACH_36(m, T, __VA_ARGS__)
#define GORT_EACH_38(m, T, f, ...) m(T, f, 38) GORT_EACH_37(m, T, __VA_ARGS__)
#define GORT_EACH_39(m, T, f, ...) m(T, f, 39) GORT_EACH_38(m, T, __VA_ARGS__)
#define GORT_EACH_40(m, T, f, ...) m(T, f, 40) GORT_EACH_39(m, T, __VA_ARGS__)
#define GORT_EACH_41(m, T, f, ...) m(T, f, 41) GORT_EACH_40(m, T, __VA_ARGS__)
#define GORT_EACH_42(m, T, f, ...) m(T, f, 42) GORT_EACH_41(m, T, __VA_ARGS__)
#define GORT_EACH_43(m, T, f, ...) m(T, f, 43) GORT_EACH_42(m, T, __VA_ARGS__)
#define GORT_EACH_44(m, T, f, ...) m(T, f, 44) GORT_EACH_43(m, T, __VA_ARGS__)
#define GORT_EACH_45(m, T, f, ...) m(T, f, 45) GORT_EACH_44(m, T, __VA_ARGS__)
#define GORT_EACH_46(m, T, f, ...) m(T, f, 46) GORT_EACH_45(m, T, __VA_ARGS__)
#define GORT_EACH_47(m, T, f, ...) m(T, f, 47) GORT_EACH_46(m, T, __VA_ARGS__)
#define GORT_EACH_48(m, T, f, ...) m(T, f, 48) GORT_EACH_47(m, T, __VA_ARGS__)
#define GORT_EACH_49(m, T, f, ...) m(T, f, 49) GORT_EACH_48(m, T, __VA_ARGS__)
#define GORT_EACH_50(m, T, f, ...) m(T, f, 50) GORT_EACH_49(m, T, __VA_ARGS__)
#define GORT_EACH_51(m, T, f, ...) m(T, f, 51) GORT_EACH_50(m, T, __VA_ARGS__)
#define GORT_EACH_52(m, T, f, ...) m(T, f, 52) GORT_EACH_51(m, T, __VA_ARGS__)
#define GORT_EACH_53(m, T, f, ...) m(T, f, 53) GORT_EACH_52(m, T, __VA_ARGS__)
#define GORT_EACH_54(m, T, f, ...) m(T, f, 54) GORT_EACH_53(m, T, __VA_ARGS__)
#define GORT_EACH_55(m, T, f, ...) m(T, f, 55) GORT_EACH_54(m, T, __VA_ARGS__)
#define GORT_EACH_56(m, T, f, ...) m(T, f, 56) GORT_EACH_55(m, T, __VA_ARGS__)
#define GORT_EACH_57(m, T, f, ...) m(T, f, 57) GORT_EACH_56(m, T, __VA_ARGS__)
#define GORT_EACH_58(m, T, f, ...) m(T, f, 58) GORT_EACH_57(m, T, __VA_ARGS__)
#define GORT_EACH_59(m, T, f, ...) m(T, f, 59) GORT_EACH_58(m, T, __VA_ARGS__)
#define GORT_EACH_60(m, T, f, ...) m(T, f, 60) GORT_EACH_59(m, T, __VA_ARGS__)
#define GORT_EACH_61(m, T, f, ...) m(T, f, 61) GORT_EACH_60(m, T, __VA_ARGS__)
#define GORT_EACH_62(m, T, f, ...) m(T, f, 62) GORT_EACH_61(m, T, __VA_ARGS__)
#define GORT_EACH_63(m, T, f, ...) m(T, f, 63) GORT_EACH_62(m, T, __VA_ARGS__)
#define GORT_EACH_64(m, T, f, ...) m(T, f, 64) GORT_EACH_63(m, T, __VA_ARGS__)

#endif
